// The conversation: history, streaming, stop, copy, reasoning folded away.
import { ApiError, streamChat } from "./api.js";
import { copyButton, element, render } from "./markdown.js";
import { onLanguage, t } from "./i18n.js";
import { parameters } from "./parameters.js";

const $ = (id) => document.getElementById(id);
const history = [];       // {role, content}
let abort = null;         // AbortController of the answer under way

function welcome() {
  const idea = (key) => element("button", { type: "button", onclick: () => send(t(key)) }, t(key));
  $("messages").replaceChildren(element("div", { class: "welcome" },
    element("h1", {}, t("welcome")), element("p", {}, t("welcomeSub")),
    element("div", { class: "ideas" }, idea("idea1"), idea("idea2"), idea("idea3"))));
}

function addMessage(role) {
  if (!history.length) $("messages").replaceChildren();
  const body = element("div", { class: "body" });
  const message = element("article", { class: `message ${role}` }, body);
  $("messages").append(message);
  return { message, body };
}

const nearEnd = (node) => node.scrollHeight - node.scrollTop - node.clientHeight < 120;

// Draws an answer as far as it has come.
function draw(view, answer, busy) {
  const follow = nearEnd($("messages"));
  const parts = [];
  if (answer.reasoning) {
    view.details ??= element("details", { class: "reasoning" });
    const thinking = busy && !answer.content;
    view.details.replaceChildren(element("summary", {}, t(thinking ? "thinking" : "reasoning")), render(answer.reasoning));
    parts.push(view.details);
  }
  const content = element("div", busy ? { class: "caret" } : {});
  content.append(render(answer.content));
  parts.push(content);
  view.body.replaceChildren(...parts);
  if (follow) $("messages").scrollTop = $("messages").scrollHeight;
}

function showStats(answer, started) {
  const seconds = (performance.now() - answer.firstAt) / 1000;
  const usage = answer.usage;
  if (!usage || !answer.firstAt) return;
  $("chat-stats").textContent = t("stats")({
    tokens: usage.completion_tokens, rate: (usage.completion_tokens / Math.max(seconds, 0.001)).toFixed(1),
    first: Math.round(answer.firstAt - started), prompt: usage.prompt_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
  });
}

function finish(view, answer, note) {
  draw(view, answer, false);
  const again = element("button", { type: "button", onclick: () => { history.splice(-2, 2); view.message.previousSibling.remove(); view.message.remove(); send(answer.question); } }, t("retry"));
  view.message.append(element("div", { class: "tools" }, copyButton(() => answer.content), again, ...(note ? [element("span", { class: "hint" }, note)] : [])));
}

function setBusy(busy) {
  $("send").hidden = busy;
  $("stop").hidden = !busy;
}

async function receive(view, answer, started) {
  let finishReason = null;
  let frame = 0;
  const body = { ...parameters(), messages: [...parameters.system(), ...history] };
  for await (const chunk of streamChat(body, abort.signal)) {
    if (chunk.usage) answer.usage = chunk.usage;
    const choice = chunk.choices?.[0];
    if (!choice) continue;
    answer.firstAt ||= (choice.delta.content || choice.delta.reasoning_content) ? performance.now() : 0;
    answer.content += choice.delta.content ?? "";
    answer.reasoning += choice.delta.reasoning_content ?? "";
    finishReason = choice.finish_reason ?? finishReason;
    frame ||= requestAnimationFrame(() => { frame = 0; draw(view, answer, true); });
  }
  cancelAnimationFrame(frame);
  showStats(answer, started);
  return finishReason === "length" ? t("cut") : null;
}

function explain(error) {
  if (error instanceof ApiError && error.status === 401) return t("needKey");
  if (error instanceof ApiError) return error.message;
  return `${t("failed")}. ${t("retryHint")}`;
}

export async function send(text) {
  text = text.trim();
  if (!text || abort) return;
  addMessage("user").body.textContent = text;
  history.push({ role: "user", content: text });
  const view = addMessage("assistant");
  const answer = { question: text, content: "", reasoning: "", usage: null, firstAt: 0 };
  abort = new AbortController();
  setBusy(true);
  const started = performance.now();
  draw(view, answer, true);
  $("messages").scrollTop = $("messages").scrollHeight;
  let note = null;
  try {
    note = await receive(view, answer, started);
  } catch (error) {
    if (abort.signal.aborted) note = t("stopped");
    else { view.message.classList.add("error"); answer.content += (answer.content ? "\n\n" : "") + explain(error); }
  }
  history.push({ role: "assistant", content: answer.content });
  finish(view, answer, note);
  abort = null;
  setBusy(false);
  $("prompt").focus();
}

export function initChat() {
  const prompt = $("prompt");
  const fit = () => { prompt.style.height = "auto"; prompt.style.height = `${prompt.scrollHeight}px`; };
  const submit = () => { const text = prompt.value; if (abort) return; prompt.value = ""; fit(); send(text); };
  prompt.addEventListener("input", fit);
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
  });
  $("composer").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  $("stop").addEventListener("click", () => abort?.abort());
  $("new-chat").addEventListener("click", () => { abort?.abort(); history.length = 0; $("chat-stats").textContent = ""; welcome(); });
  onLanguage(() => { if (!history.length) welcome(); });
}
