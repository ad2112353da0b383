// Talks to the server that served this page: OpenAI's chat endpoint, the status document and /metrics.
const keyName = "pingti.apiKey";
export const apiKey = () => sessionStorage.getItem(keyName) ?? "";
export const setApiKey = (key) => sessionStorage.setItem(keyName, key.trim());

function headers(extra = {}) {
  return apiKey() ? { ...extra, authorization: `Bearer ${apiKey()}` } : extra;
}

export class ApiError extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function failure(response) {
  const text = await response.text();
  try { return new ApiError(response.status, JSON.parse(text).error.message); } catch { return new ApiError(response.status, text || response.statusText); }
}

export async function getJson(path) {
  const response = await fetch(path, { headers: headers() });
  if (!response.ok) throw await failure(response);
  return response.json();
}

export async function getText(path) {
  const response = await fetch(path, { headers: headers() });
  if (!response.ok) throw await failure(response);
  return response.text();
}

// Server-sent events of one streamed chat completion: yields each parsed chunk, ends at [DONE].
export async function* streamChat(body, signal) {
  const response = await fetch("v1/chat/completions", {
    method: "POST", signal, headers: headers({ "content-type": "application/json" }),
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
  });
  if (!response.ok) throw await failure(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    pending += value;
    const events = pending.split(/\r?\n\r?\n/);
    pending = events.pop();
    for (const event of events) {
      const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data === "[DONE]") return;
      if (!data) continue;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(500, chunk.error.message);
      yield chunk;
    }
  }
}

// Prometheus text to {name: sum over labels}.
export function parseMetrics(text) {
  const sums = {};
  for (const line of text.split("\n")) {
    const match = line.match(/^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?\s+([-+.\deE]+|NaN|\+Inf)/);
    if (match && !match[1].endsWith("_bucket")) sums[match[1]] = (sums[match[1]] ?? 0) + Number(match[2]);
  }
  return sums;
}
