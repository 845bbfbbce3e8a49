// `npm run bench -- NAME [--json] [--quick]`: measures, side by side with what one would use instead, in one run.
import { ensureSystemPackages } from '#local/demo/setup/packages.ts';
import { LamplighterError } from '#shared/errors.ts';
import { parseOptions } from '#shared/options.ts';
import { benchAgent } from './agent.ts';
import { benchBackup } from './backup.ts';
import { benchCommand } from './command.ts';
import { type Row, writeJson, writeTable } from './report.ts';
import { benchStart } from './start.ts';

const BENCHES: Record<string, (isQuick: boolean) => Promise<Row[]>> = {
  command: benchCommand,
  agent: benchAgent,
  backup: benchBackup,
  start: benchStart,
};

const USAGE = `Usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json] [--quick]`;
const CONFIG = {
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
} as const;

async function main(): Promise<number> {
  const { positionals, values } = parseOptions(CONFIG, USAGE);
  const [name = ''] = positionals;
  const bench = BENCHES[name];
  if (!bench) {
    console.error(USAGE);
    return 2;
  }
  ensureSystemPackages('systemd');
  const rows = await bench(values.quick);
  console.log(writeTable(name, rows));
  if (values.json) console.log(writeJson(name, rows));
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof LamplighterError) || error.code !== 'invalid-input') throw error;
  console.error(`${error.message}\n${error.hint ?? ''}`);
  process.exitCode = 2;
}
