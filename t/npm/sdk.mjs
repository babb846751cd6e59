// sdk.mjs TARGETS: makes each call of the SDKs against each target, a list of
// {"name", "url", "unit"} in JSON, and prints what came, a line of JSON a call
// and target: {"call", "target", "result"}.  An error is a result, too.
//
// The events that a helper emits and the objects that an iterator gives are
// taken one by one, with what the helper makes of them at the end.

import { createRequire } from 'node:module';

const need = createRequire(`${process.env.EDGE_NPM}/`);
const { OpenAI } = need('openai');
const { Anthropic } = need('@anthropic-ai/sdk');

const targets = JSON.parse(process.argv[2]);
const ask = 'Where is order “48291”?';

const schema = (name) => ({
    type: 'object', properties: { [name]: { type: 'string' } },
    required: [name],
});

const functions = [
    { name: 'get_order', description: 'An order',
      parameters: schema('order_id') },
    { name: 'get_weather', description: 'Weather',
      parameters: schema('city') },
];

const chat = {
    model: 'gpt-4o', messages: [
        { role: 'system', content: 'You answer customers.' },
        { role: 'user', content: ask },
    ],
};

const chatTools = {
    ...chat, tools: functions.map((f) => ({ type: 'function', function: f })),
};

const usage = { stream_options: { include_usage: true } };

const responses = {
    model: 'gpt-4.1', instructions: 'You answer customers.', input: ask,
};

const responsesTools = {
    ...responses,
    tools: functions.map((f) => ({ type: 'function', strict: false, ...f })),
};

const messages = {
    model: 'claude-sonnet-4-6', max_tokens: 400,
    system: 'You answer customers.',
    messages: [{ role: 'user', content: ask }],
};

const messagesTools = {
    ...messages,
    tools: functions.map((f) => ({
        name: f.name, description: f.description, input_schema: f.parameters,
    })),
};


// What a caller can see of an error.
function failure(e) {
    return {
        error: e.constructor.name, message: e.message, status: e.status,
        code: e.code, type: e.type, param: e.param, requestID: e.requestID,
        body: e.error, cause: e.cause?.message,
    };
}


// Headers but for those of the connection, which each hop makes for itself.
function headers(response) {
    const hop = ['connection', 'date', 'keep-alive', 'server'];

    return Object.fromEntries([...response.headers]
        .filter(([name]) => !hop.includes(name)));
}


async function whole(promise) {
    const { data, response } = await promise.withResponse();

    return {
        data, requestID: data._request_id, status: response.status,
        headers: headers(response),
    };
}


async function iterated(promise) {
    const events = [];
    const out = { events };

    try {
        const { data, response } = await promise.withResponse();

        Object.assign(out, { status: response.status,
                             headers: headers(response) });
        for await (const event of data) {
            events.push(event);
        }

    } catch (e) {
        out.failure = failure(e);
    }

    return out;
}


// A helper's own events, then what it made of the stream: its method "final".
async function helped(stream, names, final) {
    const events = [];
    const out = { events };

    for (const name of names) {
        stream.on(name, (...args) => {
            events.push(structuredClone([name, ...args]));
        });
    }

    try {
        out.final = await stream[final]();

    } catch (e) {
        out.failure = failure(e);
    }

    return out;
}


const chatEvents = [
    'content', 'content.delta', 'content.done', 'refusal.delta',
    'refusal.done', 'tool_calls.function.arguments.delta',
    'tool_calls.function.arguments.done', 'message', 'totalUsage',
];

const responseEvents = [
    'response.created', 'response.output_text.delta', 'response.refusal.delta',
    'response.reasoning_summary_text.delta', 'response.completed',
    'response.function_call_arguments.delta', 'response.incomplete',
];

const messageEvents = [
    'streamEvent', 'text', 'inputJson', 'thinking', 'signature',
    'contentBlock', 'message',
];


// Two tools that answer, and an end of the conversation after one turn of
// them: the recorded answer would call them for ever.
function runTools(openai, o) {
    const body = {
        ...chatTools, stream: true, ...usage,
        tools: functions.map((f) => ({
            type: 'function', function: {
                ...f, parse: JSON.parse,
                function: (args) => JSON.stringify({ got: args }),
            },
        })),
    };

    return helped(openai.chat.completions.runTools(body,
        { ...o, maxChatCompletions: 1 }),
        [...chatEvents, 'functionToolCall', 'functionToolCallResult'],
        'finalFunctionToolCallResult');
}


const apis = {
    chat: {
        json: (c, o) => whole(c.openai.chat.completions.create(chat, o)),
        iterate: (c, o) => iterated(c.openai.chat.completions.create(
            { ...chat, stream: true }, o)),
        usage: (c, o) => iterated(c.openai.chat.completions.create(
            { ...chat, stream: true, ...usage }, o)),
        helper: (c, o) => helped(c.openai.chat.completions.stream(
            { ...chat, ...usage }, o), chatEvents, 'finalChatCompletion'),
        'json with tools': (c, o) => whole(
            c.openai.chat.completions.create(chatTools, o)),
        'helper with tools': (c, o) => helped(
            c.openai.chat.completions.stream(chatTools, o), chatEvents,
            'finalChatCompletion'),
        run: (c, o) => runTools(c.openai, o),
    },

    responses: {
        json: (c, o) => whole(c.openai.responses.create(responses, o)),
        iterate: (c, o) => iterated(c.openai.responses.create(
            { ...responses, stream: true }, o)),
        helper: (c, o) => helped(c.openai.responses.stream(responses, o),
            responseEvents, 'finalResponse'),
        'json with tools': (c, o) => whole(
            c.openai.responses.create(responsesTools, o)),
        'iterate with tools': (c, o) => iterated(c.openai.responses.create(
            { ...responsesTools, stream: true }, o)),
        'helper with tools': (c, o) => helped(
            c.openai.responses.stream(responsesTools, o), responseEvents,
            'finalResponse'),
    },

    messages: {
        json: (c, o) => whole(c.anthropic.messages.create(messages, o)),
        iterate: (c, o) => iterated(c.anthropic.messages.create(
            { ...messages, stream: true }, o)),
        helper: (c, o) => helped(c.anthropic.messages.stream(messages, o),
            messageEvents, 'finalMessage'),
        'json with tools': (c, o) => whole(
            c.anthropic.messages.create(messagesTools, o)),
        'iterate with tools': (c, o) => iterated(c.anthropic.messages.create(
            { ...messagesTools, stream: true }, o)),
        'helper with tools': (c, o) => helped(
            c.anthropic.messages.stream(messagesTools, o), messageEvents,
            'finalMessage'),
    },
};


// Which of them, and how the upstream is to answer: [API, how, scenario,
// more request headers, client options].
const calls = [];

for (const api of Object.keys(apis)) {
    for (const how of Object.keys(apis[api])) {
        const tools = / with tools$|^run$/.test(how);

        calls.push([api, how, tools ? 'tools' : 'text']);
        if (how === 'json' || how === 'helper' || how === 'iterate') {
            calls.push([api, how, 'reasoning'], [api, how, 'refusal'],
                       [api, how, 'length'], [api, how, '400'],
                       [api, how, '429'], [api, how, '529']);
        }
    }

    calls.push([api, 'iterate', 'text', { 'X-Chunk': '7', 'X-Pace': '0' }],
               [api, 'iterate', 'text', { 'X-Pace': '10' }],
               [api, 'iterate', 'error'], [api, 'helper', 'error'],
               [api, 'iterate', 'cut'], [api, 'helper', 'cut'],
               [api, 'json', 'text', { 'X-Try-Again': '1' },
                { maxRetries: 2 }],
               [api, 'iterate', 'text', { 'X-Try-Again': '1' },
                { maxRetries: 2 }]);
}

calls.push(['responses', 'iterate', 'failed'],
           ['responses', 'helper', 'failed']);

for (const [api, how, scenario, more = {}, options = {}] of calls) {
    const call = [`${api}: ${how}, ${scenario}`,
                  ...Object.keys(more)].join(', ');

    for (const target of targets) {
        const defaultHeaders = { 'X-Conversation-Id': target.unit };
        const clients = {
            openai: new OpenAI({ apiKey: 'sk-test', defaultHeaders,
                baseURL: `${target.url}/v1`, maxRetries: 0, ...options }),
            anthropic: new Anthropic({ apiKey: 'sk-test', defaultHeaders,
                baseURL: target.url, maxRetries: 0, ...options }),
        };
        const o = { headers: { 'X-Scenario': scenario, ...more } };
        let result;

        try {
            result = await apis[api][how](clients, o);

        } catch (e) {
            result = { failure: failure(e) };
        }

        console.log(JSON.stringify({ call, target: target.name, result }));
    }
}
