// `npm run bench -- NAME [--json] [--quick]`: measures, side by side with what one would use instead, in one run.
import { parseArgs } from 'node:util';
import { ensureSystemPackages } from '#local/setup/packages.ts';
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

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
const [name = ''] = positionals;
const bench = BENCHES[name];
if (bench) {
  ensureSystemPackages('systemd');
  const rows = await bench(values.quick);
  console.log(writeTable(name, rows));
  if (values.json) console.log(writeJson(name, rows));
} else {
  console.error(`Usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json] [--quick]`);
  process.exitCode = 2;
}
