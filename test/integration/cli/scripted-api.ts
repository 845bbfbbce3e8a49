// An HTTP server that answers as a test says, and lamp run against it, in this process or as a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Io } from '#cli/io.ts';
import { runLamp } from '#cli/main.ts';

export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  authorization: string | undefined;
  contentType: string | undefined;
  body: string;
}

type Answer = { status?: number; body: unknown; type?: string; location?: string } | 'drop' | 'hang';
type Script = (asked: Asked) => Answer | Promise<Answer>;

export interface ScriptedApi {
  url: string;
  asked: Asked[];
  /** Answers by `METHOD /path`; 404 for everything else. */
  on(route: string, script: Script): void;
  close(): Promise<void>;
}

export async function startScriptedApi(): Promise<ScriptedApi> {
  const scripts = new Map<string, Script>();
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void answer(request, response, scripts, asked);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    on: (route, script) => void scripts.set(route, script),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  scripts: Map<string, Script>,
  asked: Asked[],
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://x');
  const chunks = await request.toArray();
  const one: Asked = {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    authorization: request.headers.authorization,
    contentType: request.headers['content-type'],
    body: Buffer.concat(chunks).toString('utf8'),
  };
  asked.push(one);
  const script = scripts.get(`${one.method} ${one.path}`);
  const said: Answer = script ? await script(one) : problem(404, 'not-found', `no route ${one.path}`);
  if (said === 'hang') return;
  if (said === 'drop') {
    request.socket.destroy();
    return;
  }
  if (said.location) response.setHeader('location', said.location);
  response.writeHead(said.status ?? 200, { 'content-type': said.type ?? 'application/json' });
  response.end(typeof said.body === 'string' ? said.body : JSON.stringify(said.body));
}

export function problem(status: number, code: string, detail: string, more: Record<string, unknown> = {}) {
  const body = { type: 'about:blank', title: 'Problem', status, code, detail, ...more };
  return { status, body, type: 'application/problem+json' };
}

export interface Ran {
  code: number;
  out: string;
  err: string;
}

export interface RunOptions {
  url?: string;
  token?: string;
  env?: Record<string, string>;
  columns?: number;
  isTty?: boolean;
  typed?: string;
  /** Presses Ctrl-C once this is so. */
  interruptWhen?: () => boolean;
  nowMs?: number;
  cwd?: string;
  fetch?: typeof fetch;
}

/** Runs lamp in this process. */
export async function lamp(args: string[], options: RunOptions = {}): Promise<Ran> {
  const ran = { out: '', err: '' };
  const interrupt = new AbortController();
  const { interruptWhen } = options;
  const pressing = setInterval(() => {
    if (interruptWhen?.()) interrupt.abort();
  }, 20);
  const io: Io = {
    out: (text) => {
      ran.out += text;
    },
    err: (text) => {
      ran.err += text;
    },
    stdoutIsTty: options.isTty ?? false,
    stderrIsTty: options.isTty ?? false,
    stdinIsTty: options.typed !== undefined,
    columns: () => options.columns ?? 100,
    env: {
      ...(options.url ? { LAMP_URL: options.url, LAMP_TOKEN: options.token ?? 'secret-token' } : {}),
      ...options.env,
    },
    cwd: options.cwd ?? '/nonexistent',
    homeDir: '/nonexistent',
    nowMs: () => options.nowMs ?? Date.now(),
    ask: (question) => {
      ran.err += question;
      return Promise.resolve(options.typed ?? '');
    },
    fetch: options.fetch ?? globalThis.fetch,
    interrupted: interrupt.signal,
  };
  try {
    const code = await runLamp(args, io, '0.0.0');
    return { code, ...ran };
  } finally {
    clearInterval(pressing);
  }
}

export const LAMP = join(import.meta.dirname, '../../../cli/lamp.ts');

/** Runs lamp as a process of its own; `whenOut` is called with what it has printed so far. */
export async function spawnLamp(
  args: string[],
  env: Record<string, string>,
  whenOut: (out: string, kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
): Promise<Ran & { signal: NodeJS.Signals | null }> {
  const child = spawn(process.execPath, [LAMP, ...args], {
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      XDG_CACHE_HOME: '/tmp/lamplighter-test-cache',
      ...env,
    },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ran = { out: '', err: '' };
  // A second SIGINT ends lamp at once.
  let isKilled = false;
  const killOnce = (signal: NodeJS.Signals): void => {
    if (!isKilled) child.kill(signal);
    isKilled = true;
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ran.out += text;
    whenOut(ran.out, killOnce);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ran.err += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code: code ?? -1, signal, ...ran };
}
