// How long a person waits: `lamp` as a process, a read over Pub/Sub to the host and back, a restart until it is healthy,
// each beside the same thing done by hand on the host.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '#local/stack/stack.ts';
import { at, quantile, type Row, spreadOf } from './report.ts';
import { onStack, timeMs } from './stack.ts';

const LAMP = join(import.meta.dirname, '../../cli/lamp.ts');
const UNITS = ['app-web', 'app-orchestrator', 'app-intake', 'postgresql@15-main', 'nginx'];

function lamp(stack: Stack, ...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [LAMP, ...args], {
    stdio: 'ignore',
    env: { ...process.env, LAMP_CONFIG: stack.home.lampConfig },
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`lamp ${args.join(' ')}: exit ${code}`)),
    );
  });
}

async function onHost(stack: Stack, ...argv: string[]): Promise<void> {
  await stack.machine.run(argv);
}

async function restartByHand(stack: Stack): Promise<void> {
  await onHost(stack, '/bin/systemctl', 'restart', 'app-web');
  for (;;) {
    const response = await fetch(`http://${stack.machine.address}:8080/api/engines`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await sleep(20);
  }
}

/** Takes samples of two things in turn, so that a drift of the machine meets both. */
async function inTurn(
  runs: number,
  ours: () => Promise<void>,
  beside: () => Promise<void>,
): Promise<[number[], number[]]> {
  const samples: [number[], number[]] = [[], []];
  for (let i = 0; i < runs; i++) {
    samples[0].push(await timeMs(ours));
    samples[1].push(await timeMs(beside));
  }
  return samples;
}

/** The rows of `npm run bench -- command`. */
export function benchCommand(isQuick: boolean): Promise<Row[]> {
  return onStack(async (stack) => {
    await lamp(stack, 'status');
    const status = await inTurn(
      isQuick ? 15 : 60,
      () => lamp(stack, 'status'),
      () => onHost(stack, '/bin/systemctl', 'status', '--no-pager', ...UNITS),
    );
    const read = await inTurn(
      isQuick ? 15 : 60,
      async () =>
        void (await stack.client.runCommand({ operation: 'service.status', params: { service: 'web' } })),
      () => onHost(stack, '/bin/systemctl', 'status', '--no-pager', 'app-web'),
    );
    const restart = await inTurn(
      isQuick ? 3 : 10,
      () => lamp(stack, 'restart', 'web'),
      () => restartByHand(stack),
    );
    const byHand = 'systemctl status in a shell on the host';
    return [
      {
        measure: 'lamp status, process',
        unit: 'ms',
        ours: spreadOf(status[0]),
        beside: spreadOf(status[1]),
        besideName: byHand,
        goal: 500,
      },
      {
        measure: 'lamp status, p99',
        unit: 'ms',
        ours: at(quantile(status[0], 0.99)),
        beside: at(quantile(status[1], 0.99)),
        besideName: byHand,
        goal: null,
      },
      {
        measure: 'read over Pub/Sub and back',
        unit: 'ms',
        ours: spreadOf(read[0]),
        beside: spreadOf(read[1]),
        besideName: byHand,
        goal: 300,
      },
      {
        measure: 'read over Pub/Sub, p99',
        unit: 'ms',
        ours: at(quantile(read[0], 0.99)),
        beside: at(quantile(read[1], 0.99)),
        besideName: byHand,
        goal: null,
      },
      {
        measure: 'lamp restart web until healthy',
        unit: 'ms',
        ours: spreadOf(restart[0]),
        beside: spreadOf(restart[1]),
        besideName: 'systemctl restart, then curl until 200',
        goal: 2000,
      },
    ];
  });
}
