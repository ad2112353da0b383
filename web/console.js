// Start of the console: wires theme, language, tabs, then chat, parameters and the live view.
import { apply, toggleLanguage } from "./i18n.js";
import { initChat } from "./chat.js";
import { initLive } from "./live.js";
import { initParameters } from "./parameters.js";

const root = document.documentElement;
const themes = ["auto", "light", "dark"];
root.dataset.theme = localStorage.getItem("pingti.theme") ?? "auto";
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
  localStorage.setItem("pingti.theme", root.dataset.theme);
});
document.getElementById("language").addEventListener("click", toggleLanguage);

const main = document.querySelector("main");
const tabs = [...document.querySelectorAll("#tabs button")];
const show = (tab) => {
  main.dataset.tab = tab;
  for (const button of tabs) button.setAttribute("aria-current", String(button.dataset.tab === tab));
};
for (const button of tabs) button.addEventListener("click", () => show(button.dataset.tab));
show("chat");

initParameters();
initChat();
apply();
initLive();
