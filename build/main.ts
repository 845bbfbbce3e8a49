// `npm run build [-- --release-key FILE]`: what is deployed, in dist/. With a key (Ed25519, PKCS #8 PEM) the agent's archives are
// signed with it; without one, the person who installs them compares the hashes printed here.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildAgent, packAgent } from '#agent/build.ts';
import { NODE_PINS, NODE_VERSION, RELEASE_PLATFORMS } from '#agent/release/node-pins.ts';
import { hintOf, messageOf } from '#shared/errors.ts';
import { parseOptions } from '#shared/options.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { buildFunctions } from './functions.ts';
import { findPinnedNode } from './node-package.ts';

const DIST = join(import.meta.dirname, '../dist');

function readKeyFile(): string | undefined {
  try {
    const options = { 'release-key': { type: 'string' } } as const;
    return parseOptions({ options }, 'Usage: npm run build [-- --release-key FILE]').values['release-key'];
  } catch (error) {
    console.error(`${messageOf(error)}\n${hintOf(error) ?? ''}`);
    return process.exit(2);
  }
}

const keyFile = readKeyFile();
const signing = keyFile === undefined ? {} : { signer: keySigner(readFileSync(keyFile, 'utf8')) };

await buildFunctions(join(DIST, 'functions'));
console.log('dist/functions: the entry points, for terraform');
for (const platform of RELEASE_PLATFORMS) {
  const nodeFile = await findPinnedNode(platform);
  const dir = join(DIST, `agent-${platform}`);
  await buildAgent(dir, { platform, nodeFile, nodeVersion: NODE_VERSION, ...signing });
  const archive = readFileSync(await packAgent(dir, DIST, platform));
  const sha256 = createHash('sha256').update(archive).digest('hex');
  const size = (archive.length / 1e6).toFixed(1);
  console.log(`dist/: the agent for ${NODE_PINS[platform].machine}, ${size} MB, SHA-256 ${sha256}`);
}
console.log(keyFile === undefined ? 'not signed: compare the hashes on the hosts' : `signed with ${keyFile}`);
