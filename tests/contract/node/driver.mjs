// The vendor's Node client behind a line protocol, for tests/contract/test_plivo_node.py.
//
// Each line on stdin is {"account": [id, token], "resource": name, "method": name, "args": [...]}; each answer on stdout is one line,
// {"result": ...} or {"error": {"message", "status", "apiID"}}. The client is used as the vendor ships it:
// its own proxy option leads it to us, and Node's own NODE_EXTRA_CA_CERTS makes it trust the authority.

import { createRequire } from 'node:module';
import readline from 'node:readline';

const require = createRequire(import.meta.url);
const plivo = require('plivo');
const proxy = process.env.LAB_PROXY;
const clients = new Map();

function clientFor([id, token]) {
  const key = `${id}:${token}`;
  if (!clients.has(key)) clients.set(key, new plivo.Client(id, token, { proxy }));
  return clients.get(key);
}

function told(error) {
  // What the client rejects with: an Error with its own fields, or, when there was no answer at all, a stack as text.
  return { message: String(error?.message ?? error), status: error?.status ?? null, apiID: error?.apiID ?? null };
}

async function answer({ account, resource, method, args }) {
  try {
    return { result: await clientFor(account)[resource][method](...args) };
  } catch (error) {
    return { error: told(error) };
  }
}

// The client logs to stdout through console in places; stdout belongs to the answers.
console.log = console.error;
process.stdout.write(JSON.stringify({ version: require('plivo/package.json').version, node: process.version }) + '\n');
for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n');
}
process.exit(0);
