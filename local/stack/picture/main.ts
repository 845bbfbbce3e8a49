// `npm run picture`: the README's picture, drawn from a running system in the middle of an incident's aftermath.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAgent } from '#agent/build.ts';
import { startStack } from '#local/stack/stack.ts';
import { playTour } from '#local/stack/tour.ts';
import { drawFrame } from '#local/stack/view.ts';
import { ROUTES } from '#shared/api/routes.ts';
import { drawSvg } from './svg.ts';

const ROOT = join(import.meta.dirname, '../../..');
const COLUMNS = 108;

const homeDir = mkdtempSync(join(tmpdir(), 'lamplighter-picture-'));
const agentDir = join(ROOT, 'dist/agent');
await buildAgent(agentDir);
const stack = await startStack({
  homeDir,
  apiPort: 8321,
  tickMs: 10_000,
  functionsSource: join(ROOT, 'functions/index.ts'),
  agentDir,
  onStep: console.log,
  onTrouble: console.error,
});
try {
  await playTour(stack, console.log);
  const lines = drawFrame({
    status: await stack.client.call(ROUTES.readStatus, {}),
    url: stack.url,
    columns: COLUMNS,
    rows: Infinity,
    useColour: true,
  });
  writeFileSync(
    join(ROOT, 'docs/live-view.svg'),
    drawSvg(lines, COLUMNS, 'The live view of a running Lamplighter stack'),
  );
} finally {
  await stack.close();
  rmSync(homeDir, { recursive: true, force: true });
}
