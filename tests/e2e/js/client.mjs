// The official JavaScript client against a running server: node client.mjs BASE_URL MODEL. Prints what passed; exit code 1
// at the first failure.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const [baseURL, model] = process.argv.slice(2);
const api = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 });
const messages = [{ role: 'user', content: 'Name three colours.' }];

const tests = {
  async models() {
    const list = await api.models.list();
    assert.equal(list.data[0].id, model);
  },

  async streamEqualsWhole() {
    const fields = { model, messages, max_tokens: 24, temperature: 0 };
    const whole = await api.chat.completions.create(fields);
    const stream = await api.chat.completions.create({ ...fields, stream: true, stream_options: { include_usage: true } });
    let text = '';
    let usage = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? '';
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
  },

  async severalChoicesAndLogprobs() {
    const answer = await api.chat.completions.create({
      model, messages, n: 2, max_tokens: 4, seed: 1, logprobs: true, top_logprobs: 2,
    });
    assert.equal(answer.choices.length, 2);
    assert.equal(answer.choices[0].logprobs.content[0].top_logprobs.length, 2);
  },

  async abortInMidStream() {
    const stream = await api.chat.completions.create({ model, messages, max_tokens: 2000, stream: true, ignore_eos: true });
    for await (const chunk of stream) {
      assert.ok(chunk.id);
      stream.controller.abort();
    }
  },

  async errors() {
    const chat = (fields) => api.chat.completions.create({ model, messages, max_tokens: 1, ...fields });
    await assert.rejects(chat({ temperature: 9 }), (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature');
    await assert.rejects(chat({ model: 'no-such-model' }), OpenAI.NotFoundError);
    await assert.rejects(chat({ messages: [{ role: 'user', content: 'word '.repeat(20000) }] }), OpenAI.BadRequestError);
  },

  async textCompletion() {
    const answer = await api.completions.create({ model, prompt: 'Paris is the capital of', max_tokens: 4 });
    assert.ok(answer.choices[0].text.length > 0);
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log(`ok ${name}`);
}
