// Runs before every npm script, on the machine's own Node: installs the npm packages when they are missing or
// older than package-lock.json, Node 24 among them. Plain JavaScript, since nothing is installed yet.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stampFile = join(root, 'node_modules', '.lamplighter-lock');
const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== lock) {
  console.error('Installing the npm packages (once; about half a minute) …');
  // `ci`, not `install`: it installs exactly what is locked and never writes package-lock.json.
  const npm = process.env.npm_execpath;
  const [file, args] = npm ? [process.execPath, [npm]] : ['npm', []];
  const { status, error } = spawnSync(file, [...args, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) {
    console.error(
      `npm ci failed${error ? `: ${error.message}` : ''}. Check that this machine reaches the npm registry, then run it again.`,
    );
    process.exit(1);
  }
  linkLamp();
  writeFileSync(stampFile, lock);
}

/** `npx lamp …` in the checkout runs the checkout's own `lamp`. */
function linkLamp() {
  const link = join(root, 'node_modules', '.bin', 'lamp');
  if (existsSync(link)) unlinkSync(link);
  chmodSync(join(root, 'cli', 'lamp.ts'), 0o755);
  symlinkSync(join('..', '..', 'cli', 'lamp.ts'), link);
}
