#!/usr/bin/env node
// The operator's command line: starts quickly (compiled code is cached), runs one verb, leaves with its exit code.
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// In the user's own cache folder: one in /tmp could be filled by others.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lamp'));

const { processIo } = await import('./io.ts');
const { runLamp } = await import('./main.ts');
const { version } = (await import('../package.json', { with: { type: 'json' } })).default;

process.exitCode = await runLamp(process.argv.slice(2), processIo(), version);
// Idle keep-alive connections must not keep the process; output that is still on its way must.
process.stdout.write('', () => process.stderr.write('', () => process.exit()));
