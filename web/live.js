// The live view: polls /metrics and the status document, draws the tiles, the sparkline and the model card.
import { ApiError, getJson, getText, parseMetrics } from "./api.js";
import { element } from "./markdown.js";
import { onLanguage, t } from "./i18n.js";
import { setModel } from "./parameters.js";

const pollMs = 2000;
const points = 60;
const rates = [];
const $ = (id) => document.getElementById(id);
let previous = null;
let status = null;
let latest = null;

const bytes = (n) => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} GB` : `${(n / 1e6).toFixed(0)} MB`);
const count = (n) => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} B` : n >= 1e6 ? `${(n / 1e6).toFixed(0)} M` : n.toLocaleString());
const percent = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(0)} %` : "–");

function tile(value, label, share) {
  const meter = share === undefined ? [] : [element("div", { class: "meter" }, element("i", { style: `width:${Math.min(100, 100 * share)}%` }))];
  return element("div", { class: "tile" }, element("b", {}, value), element("span", {}, label), ...meter);
}

function drawTiles() {
  if (!latest) return;
  const m = latest;
  const kv = m["vllm:kv_cache_usage_perc"] ?? 0;
  const first = m["vllm:time_to_first_token_seconds_count"] > 0
    ? `${((1000 * m["vllm:time_to_first_token_seconds_sum"]) / m["vllm:time_to_first_token_seconds_count"]).toFixed(0)} ms` : "–";
  $("tiles").replaceChildren(
    tile((rates.at(-1) ?? 0).toFixed(1), t("tokensPerSecond")),
    tile(`${m["vllm:num_requests_running"] ?? 0} / ${m["vllm:num_requests_waiting"] ?? 0}`, `${t("running")} / ${t("waiting")}`),
    tile(`${(100 * kv).toFixed(1)} %`, t("kvUse"), kv),
    tile(percent(m["vllm:prefix_cache_hits_total"] ?? 0, m["vllm:prefix_cache_queries_total"] ?? 0), t("prefixHits")),
    tile(first, t("firstToken")),
    tile(m.process_resident_memory_bytes ? bytes(m.process_resident_memory_bytes) : "–", t("memory")));
}

function drawSpark() {
  const top = Math.max(1, ...rates);
  const xy = rates.map((rate, i) => `${((i + points - rates.length) * 240) / (points - 1)},${46 - (44 * rate) / top}`);
  if (xy.length < 2) return;
  const line = `M${xy.join("L")}`;
  const left = xy[0].split(",")[0];
  $("spark").innerHTML = "";
  for (const [name, d] of [["area", `${line}L240,48L${left},48Z`], ["line", line]]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("class", name);
    path.setAttribute("d", d);
    $("spark").append(path);
  }
}

function drawCard() {
  if (!status) return;
  const s = status;
  const rows = [
    ["name", s.model.name], ["architecture", s.model.architecture], ["parametersCount", count(s.model.parameters)],
    ["quantisation", s.model.weight_types], ["weights", bytes(s.model.weight_bytes)], ["context", `${s.model.context_length.toLocaleString()} ${t("tokens")}`],
    ["kvType", s.engine.kv_type], ["kvBlocks", s.engine.kv_blocks.toLocaleString()], ["kernels", s.kernels], ["threads", s.threads], ["version", s.version],
  ].filter(([, value]) => value !== undefined && value !== "");
  $("model-card").replaceChildren(...rows.flatMap(([key, value]) => [element("dt", {}, t(key)), element("dd", {}, String(value))]));
  $("model-name").textContent = s.model.name;
  $("model-chip").title = `${s.model.name} · ${s.kernels}`;
  $("toy-notice").hidden = !s.model.toy;
  $("toy-notice").textContent = t("toy");
}

async function pollMetrics() {
  const now = performance.now();
  latest = parseMetrics(await getText("metrics"));
  const tokens = latest["vllm:generation_tokens_total"] ?? 0;
  if (previous) rates.push(Math.max(0, (1000 * (tokens - previous.tokens)) / (now - previous.at)));
  if (rates.length > points) rates.shift();
  previous = { tokens, at: now };
}

function drawKeys(keys) {
  $("keys-card").hidden = false;
  const number = (n) => n.toLocaleString();
  const head = ["key", "calls", "tokensToday", "tokensAll"].map((key) => element("th", {}, t(key)));
  const rows = keys.map((key) => {
    const gone = key.expires && Date.parse(key.expires) < Date.now() ? ` (${t("expired")})` : "";
    const limit = key.tokens_per_day ? ` / ${number(key.tokens_per_day)}` : "";
    const cells = [key.name + gone, number(key.requests), number(key.tokens_today) + limit, number(key.prompt_tokens + key.completion_tokens)];
    return element("tr", {}, ...cells.map((text) => element("td", {}, text)));
  });
  $("keys").replaceChildren(element("tr", {}, ...head), ...rows);
}

async function poll() {
  try {
    if (!status) {
      status = await getJson("pingti/status");
      setModel(status.model.name, status.model.defaults);
      drawCard();
    }
    $("ready-dot").className = "dot up";
    await pollMetrics();
    drawTiles();
    drawSpark();
    if (status.keys) drawKeys((await getJson("pingti/usage")).keys);
  } catch (error) {
    const mayNotLook = error instanceof ApiError && error.status === 403;  // a key for chat only
    if (!mayNotLook) $("ready-dot").className = "dot down";
    if (error instanceof ApiError && error.status === 401) $("model-name").textContent = t("needKey");
  }
  setTimeout(poll, document.hidden ? 5 * pollMs : pollMs);
}

export function initLive() {
  onLanguage(() => { drawTiles(); drawCard(); });
  poll();
}
