// The request parameters that the page offers, kept in this browser (the API key only for this tab).
import { apiKey, setApiKey } from "./api.js";
import { element } from "./markdown.js";
import { onLanguage, t } from "./i18n.js";

const fields = [
  { key: "temperature", label: "temperature", type: "range", min: 0, max: 2, step: 0.05 },
  { key: "top_p", label: "topP", type: "range", min: 0.05, max: 1, step: 0.05 },
  { key: "max_tokens", label: "maxTokens", type: "number", min: 1, step: 1 },
  { key: "seed", label: "seed", type: "number", step: 1 },
  { key: "system", label: "system", type: "textarea" },
];
const values = { max_tokens: 1024, ...JSON.parse(localStorage.getItem("pingti.parameters") ?? "{}") };
let model = null;
let defaults = { temperature: 1, top_p: 1 };

// Only what the user set is sent; the model's own defaults hold for the rest.
export function parameters() {
  const body = { model };
  for (const { key } of fields) if (key !== "system" && values[key] !== undefined && values[key] !== "") body[key] = Number(values[key]);
  return body;
}
parameters.system = () => (values.system ? [{ role: "system", content: values.system }] : []);

export function setModel(id, modelDefaults) {
  model = id;
  defaults = { ...defaults, ...modelDefaults };
  draw();
}

function save(key, value) {
  if (value === "") delete values[key]; else values[key] = value;
  localStorage.setItem("pingti.parameters", JSON.stringify(values));
}

function draw() {
  const form = document.getElementById("parameters");
  const rows = fields.map(({ key, label, type, ...limits }) => {
    const shown = values[key] ?? defaults[key] ?? "";
    const output = element("output", {}, type === "range" ? String(shown) : "");
    const input = type === "textarea" ? element("textarea", { rows: 2 }, String(shown)) : element("input", { type, value: shown, ...limits });
    input.addEventListener("input", () => { save(key, input.value); if (type === "range") output.textContent = input.value; });
    return element("label", { class: "field" }, t(label), output, input);
  });
  const key = element("input", { type: "password", value: apiKey(), autocomplete: "off" });
  key.addEventListener("change", () => setApiKey(key.value));
  form.replaceChildren(...rows, element("label", { class: "field" }, t("apiKey"), key));
}

export function initParameters() {
  document.getElementById("parameters").addEventListener("submit", (event) => event.preventDefault());
  onLanguage(draw);
}
