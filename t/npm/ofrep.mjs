// ofrep.mjs NPM FILE: what OpenFeature's server SDK makes of each evaluation
// that FILE asks for, as JSON.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [npm, file] = process.argv.slice(2);
const require = createRequire(`${npm}/package.json`);
const { OpenFeature } = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');
const { OFREPApi } = require('@openfeature/ofrep-core');

const input = JSON.parse(readFileSync(file, 'utf8'));
const mine = { model: 'mine' };
const quiet = { error() {}, warn() {}, info() {}, debug() {} };

async function client(name, options) {
  await OpenFeature.setProviderAndWait(name, new OFREPProvider(options));
  return OpenFeature.getClient(name).setLogger(quiet);
}

const open = await client('open', { baseUrl: input.open });
const keyed = await client('keyed', { baseUrl: input.keyed,
  headers: [['Authorization', `Bearer ${input.secret}`]] });
const wrong = await client('wrong', { baseUrl: input.keyed,
  headers: [['X-API-Key', 'none']] });

const ask = (c, flag, context) => c.getObjectDetails(flag, mine, context);
const warm = { targetingKey: input.warm };
const units = {};

for (const unit of input.units) {
  units[unit] = await ask(open, 'tone', { targetingKey: unit });
}

const api = new OFREPApi(input.open);
const bulk = await api.postBulkEvaluateFlags({ context: warm });
const again = await api.postBulkEvaluateFlags({ context: warm },
  { headers: [['If-None-Match', bulk.httpResponse.headers.get('etag')]] });

console.log(JSON.stringify({
  units,
  targeted: await ask(open, 'aim', input.aim),
  key: await ask(keyed, 'tone', warm),
  wrong_key: await ask(wrong, 'tone', warm),
  missing: await ask(open, 'nope', warm),
  no_unit: await ask(open, 'tone', {}),
  bulk: { status: bulk.httpStatus, flags: bulk.value.flags },
  again: { status: again.httpStatus },
}));
