// `npm run build`: what is deployed, in dist/.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { buildAgent, packAgent } from '#agent/build.ts';
import { buildFunctions } from './functions.ts';

const DIST = join(import.meta.dirname, '../../dist');

await buildFunctions(join(DIST, 'functions'));
console.log('dist/functions: the entry points, for terraform');
await buildAgent(join(DIST, 'agent'));
const archive = await packAgent(join(DIST, 'agent'), DIST);
console.log(`${archive.slice(DIST.length - 4)}: the agent, ${(statSync(archive).size / 1e6).toFixed(1)} MB`);
