// The vendor's Node validators, for tests/contract/test_webhook_signatures_node.py.
//
// stdin is a JSON array of {"family": "v3" | "v2", "method", "url", "nonce", "token", "signature", "form"};
// stdout the array of verdicts.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const plivo = createRequire(import.meta.url)('plivo');

function verdict({ family, method, url, nonce, token, signature, form }) {
  return family === 'v3'
    ? plivo.validateV3Signature(method, url, nonce, token, signature, form)
    : plivo.validateSignature(url, nonce, signature, token);
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(verdict)));
