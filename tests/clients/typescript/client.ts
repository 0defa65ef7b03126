// A client in TypeScript whose types come from the description alone: what it reads is what the service sends, or it
// does not compile; and what compiles runs. It says what it found as the other clients do.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

type Event = components['schemas']['Event'];
type Message = components['schemas']['Message'];

const base = process.argv[2];
assert(base, 'usage: client.js <the address of the service>');
const api = createClient<paths>({ baseUrl: base });
const path = { user_id: 'typescript' };

/** Reads the events of a turn as they come. */
async function* read(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true });
    const frames = text.split('\n\n');
    text = frames.pop() ?? '';
    for (const frame of frames) {
      const field = (name: string) => frame.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [id, event, data] = [field('id'), field('event'), field('data')];
      // The one cast there is: from the frame to what the description says that it holds.
      if (id && event && data) yield { id: Number(id), event, data: JSON.parse(data) } as Event;
    }
  }
}

/** Says in a sentence what an event tells; every name has data of its own type. */
function tell(event: Event): string {
  switch (event.event) {
    case 'run.created':
      return `${event.data.provider} answers in ${event.data.conversation_id}`;
    case 'message.delta':
    case 'reasoning.delta':
      return event.data.delta;
    case 'message.completed':
      return event.data.incomplete ? `${event.data.content} …` : event.data.content;
    case 'message.discarded':
      return `${event.data.message_id} does not count`;
    case 'tool.started':
      return `${event.data.name} of ${event.data.server}`;
    case 'tool.completed':
      return `${event.data.name}: ${event.data.status satisfies components['schemas']['CallStatus']}`;
    case 'notice':
      return event.data.message;
    case 'run.failed':
      return `${event.data.code}: ${event.data.message}`;
    case 'run.completed':
    case 'run.cancelled':
    case 'run.awaiting_approval':
      return `${event.data.usage.total_tokens} tokens`;
    default:
      // Were there another event in the description, this would not compile.
      return event satisfies never;
  }
}

/** Names the calls that a message speaks of. */
function calls(message: Message): string[] {
  switch (message.role) {
    case 'user':
      return [];
    case 'assistant':
      return message.tool_calls.map((call) => call.name);
    case 'tool':
      return [message.name];
  }
}

const checks: Record<string, () => Promise<void>> = {
  'A task is created and listed.': async () => {
    const created = await api.POST('/api/{user_id}/tasks', { params: { path }, body: { title: 'Pay rent', priority: 'high' } });
    assert(created.data, JSON.stringify(created.error));
    const listed = await api.GET('/api/{user_id}/tasks', { params: { path, query: { status: 'pending', limit: 5 } } });
    assert.deepEqual(listed.data?.data, [created.data]);
  },
  'A turn is told by typed events, and its messages are told apart.': async () => {
    const turn = await api.POST('/api/{user_id}/chat', {
      params: { path },
      body: { message: 'add buy milk', stream: true },
      parseAs: 'stream',
    });
    assert(turn.data, JSON.stringify(turn.error));
    const told = new Map<string, string>();
    for await (const event of read(turn.data)) told.set(event.event, (told.get(event.event) ?? '') + tell(event));
    assert.equal(told.get('tool.completed'), 'add_task: ok');
    assert.equal(told.get('message.delta'), told.get('message.completed'));
    assert.match(told.get('run.completed') ?? '', /^\d+ tokens$/);
    const conversation_id = turn.response.headers.get('x-conversation-id');
    assert(conversation_id);
    const page = await api.GET('/api/{user_id}/conversations/{conversation_id}/messages', {
      params: { path: { ...path, conversation_id } },
    });
    assert.deepEqual(page.data?.data.flatMap(calls), ['add_task', 'add_task']);
  },
  'A turn comes as one object, and its run can be read.': async () => {
    const turn = await api.POST('/api/{user_id}/chat', { params: { path }, body: { message: 'hi', stream: false } });
    const chat = turn.data;
    // The other formats of this answer have no such field.
    assert(chat && typeof chat === 'object' && 'run_id' in chat, JSON.stringify(turn.error));
    const run = await api.GET('/api/{user_id}/runs/{run_id}', { params: { path: { ...path, run_id: chat.run_id } } });
    assert.equal(run.data?.status, 'completed');
    assert.equal(run.data?.usage.total_tokens, chat.usage.total_tokens);
  },
  'A refusal has a code that the route is described with.': async () => {
    const refused = await api.GET('/api/{user_id}/tasks/{number}', { params: { path: { ...path, number: 999 } } });
    assert(refused.error);
    assert.equal(refused.error.code satisfies components['schemas']['ProblemCode'], 'not_found');
  },
};

let failed = 0;
for (const [fact, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`  passed  ${fact}`);
  } catch (error) {
    failed += 1;
    console.log(`  FAILED  ${fact}\n          ${error instanceof Error ? error.message : error}`);
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
