// Texts of the console in English and Chinese. `t(key)` gives the current language's; `apply()` fills the page.
const texts = {
  en: {
    newChat: "New chat", theme: "Theme", send: "Send", stop: "Stop", promptHint: "Ask anything. Enter sends, Shift+Enter makes a new line",
    live: "Live", modelCard: "This model", parameters: "Parameters", tabChat: "Chat", tabLive: "Live", tabModel: "Model", tabSettings: "Settings",
    sparkHint: "Tokens per second, last two minutes", tokensPerSecond: "tokens/s generated", running: "running", waiting: "waiting",
    kvUse: "KV cache in use", prefixHits: "prompt tokens reused", memory: "memory", firstToken: "mean time to first token", requests: "requests answered",
    welcome: "What can I do for you?", welcomeSub: "Everything you type stays on this machine.",
    idea1: "Explain what a KV cache is, in two sentences", idea2: "Write a Python function that merges two sorted lists", idea3: "List five uses of a local language model",
    reasoning: "Reasoning", thinking: "Thinking…", copy: "Copy", copied: "Copied", retry: "Again", stopped: "stopped", cut: "the answer reached its length limit",
    stats: (s) => `${s.tokens} tokens · ${s.rate} tokens/s · first token after ${s.first} ms · ${s.cached} of ${s.prompt} prompt tokens reused`,
    toy: "The default model is a toy (135M parameters, English): it proves that this machine works. Bring a real one with: pingti pull NAME",
    failed: "The server did not answer", retryHint: "Is it still running? Its log says more.", needKey: "This server wants an API key: enter it under Parameters.",
    temperature: "Temperature", topP: "Top-p", maxTokens: "Longest answer, tokens", system: "System message", apiKey: "API key", seed: "Seed (empty: random)",
    keys: "API keys", key: "Key", tokensToday: "Tokens today", tokensAll: "All tokens", calls: "Requests", expired: "expired",
    name: "Name", architecture: "Architecture", parametersCount: "Parameters", context: "Context", weights: "Weights", kernels: "Kernels", threads: "Threads", kvType: "KV type", version: "pingti", kvBlocks: "KV blocks", tokens: "tokens", quantisation: "Weight types",
  },
  zh: {
    newChat: "新对话", theme: "主题", send: "发送", stop: "停止", promptHint: "输入问题,回车发送,Shift+回车换行",
    live: "实时状态", modelCard: "当前模型", parameters: "参数", tabChat: "对话", tabLive: "状态", tabModel: "模型", tabSettings: "设置",
    sparkHint: "最近两分钟的生成速度(token/秒)", tokensPerSecond: "生成 token/秒", running: "运行中", waiting: "排队中",
    kvUse: "KV 缓存占用", prefixHits: "提示词复用率", memory: "内存", firstToken: "平均首 token 时间", requests: "已完成请求",
    welcome: "需要我做什么?", welcomeSub: "您输入的内容不会离开这台机器。",
    idea1: "用两句话解释什么是 KV 缓存", idea2: "写一个合并两个有序列表的 Python 函数", idea3: "列出本地大模型的五个用途",
    reasoning: "思考过程", thinking: "思考中…", copy: "复制", copied: "已复制", retry: "重新回答", stopped: "已停止", cut: "回答达到了长度上限",
    stats: (s) => `${s.tokens} 个 token · ${s.rate} token/秒 · 首 token ${s.first} 毫秒 · 提示词 ${s.prompt} 个,复用 ${s.cached} 个`,
    toy: "默认模型只是演示(1.35 亿参数,英文),用来证明这台机器可以运行。获取正式模型:pingti pull 名称",
    failed: "服务器没有响应", retryHint: "服务还在运行吗?详情见服务日志。", needKey: "此服务需要 API 密钥,请在“参数”中填写。",
    temperature: "温度", topP: "Top-p", maxTokens: "回答最长 token 数", system: "系统提示词", apiKey: "API 密钥", seed: "随机种子(留空为随机)",
    keys: "API 密钥", key: "密钥", tokensToday: "今日 token", tokensAll: "累计 token", calls: "请求数", expired: "已过期",
    name: "名称", architecture: "架构", parametersCount: "参数量", context: "上下文", weights: "权重", kernels: "计算内核", threads: "线程", kvType: "KV 类型", version: "pingti", kvBlocks: "KV 块", tokens: "token", quantisation: "权重类型",
  },
};

let language = localStorage.getItem("pingti.language") || (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
const listeners = [];

export const t = (key) => texts[language][key] ?? key;
export const onLanguage = (listener) => listeners.push(listener);

export function apply() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  for (const node of document.querySelectorAll("[data-i18n-placeholder]")) node.placeholder = t(node.dataset.i18nPlaceholder);
  for (const node of document.querySelectorAll("[data-i18n-label]")) node.setAttribute("aria-label", t(node.dataset.i18nLabel));
  document.getElementById("language").textContent = language === "zh" ? "EN" : "文";
  for (const listener of listeners) listener();
}

export function toggleLanguage() {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("pingti.language", language);
  apply();
}
