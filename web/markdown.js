// A small, safe Markdown renderer: builds DOM nodes, never HTML strings, so model output cannot inject markup.
// Knows paragraphs, headings, lists, fenced code, tables, inline code, bold, italics and links (http/https only).
import { t } from "./i18n.js";

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export function copyButton(getText) {
  const button = element("button", { type: "button" }, t("copy"));
  button.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(getText());
    button.textContent = t("copied");
    setTimeout(() => (button.textContent = t("copy")), 1200);
  });
  return button;
}

const inlinePattern = /(`[^`]+`)|(\*\*[^*]+\*\*)|(\*[^*\s][^*]*\*)|(\[[^\]]+\]\(https?:\/\/[^\s)]+\))/g;

function inline(text) {
  const nodes = [];
  let last = 0;
  for (const match of text.matchAll(inlinePattern)) {
    nodes.push(text.slice(last, match.index));
    const [whole, code, bold, italic, link] = match;
    if (code) nodes.push(element("code", {}, code.slice(1, -1)));
    else if (bold) nodes.push(element("strong", {}, bold.slice(2, -2)));
    else if (italic) nodes.push(element("em", {}, italic.slice(1, -1)));
    else {
      const [, label, href] = link.match(/^\[([^\]]+)\]\((.*)\)$/);
      nodes.push(element("a", { href, target: "_blank", rel: "noopener noreferrer" }, label));
    }
    last = match.index + whole.length;
  }
  nodes.push(text.slice(last));
  return nodes;
}

function codeBlock(lines) {
  const code = element("code", {}, lines.join("\n"));
  return element("pre", {}, code, copyButton(() => code.textContent));
}

function table(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const row = (line, tag) => element("tr", {}, ...cells(line).map((cell) => element(tag, {}, ...inline(cell))));
  return element("table", {}, row(lines[0], "th"), ...lines.slice(2).map((line) => row(line, "td")));
}

// One block beginning at lines[i]: [node, index after it].
function block(lines, i) {
  const fence = lines[i].match(/^\s*(```|~~~)/);
  if (fence) {
    let end = i + 1;
    while (end < lines.length && !lines[end].trim().startsWith(fence[1])) end++;
    return [codeBlock(lines.slice(i + 1, end)), end + 1];
  }
  const heading = lines[i].match(/^(#{1,6})\s+(.*)$/);
  if (heading) return [element(heading[1].length < 3 ? "h3" : "h4", {}, ...inline(heading[2])), i + 1];
  const item = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;
  if (item.test(lines[i])) {
    const first = lines[i].match(item);
    const list = element(first[1] ? "ol" : "ul", first[1] ? { start: first[1] } : {});
    while (i < lines.length && item.test(lines[i])) list.append(element("li", {}, ...inline(lines[i++].match(item)[2])));
    return [list, i];
  }
  if (lines[i].includes("|") && /^[\s|:-]+-[\s|:-]*$/.test(lines[i + 1] ?? "")) {
    let end = i + 2;
    while (end < lines.length && lines[end].includes("|")) end++;
    return [table(lines.slice(i, end)), end];
  }
  const paragraph = element("p");
  const starts = /^\s*(```|~~~|#{1,6}\s|[-*+]\s|\d+[.)]\s)/;
  do {
    if (paragraph.childNodes.length) paragraph.append(element("br"));
    paragraph.append(...inline(lines[i++]));
  } while (i < lines.length && lines[i].trim() && !starts.test(lines[i]));
  return [paragraph, i];
}

export function render(text) {
  const fragment = document.createDocumentFragment();
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; ) {
    if (!lines[i].trim()) { i++; continue; }
    const [node, next] = block(lines, i);
    fragment.append(node);
    i = next;
  }
  return fragment;
}
