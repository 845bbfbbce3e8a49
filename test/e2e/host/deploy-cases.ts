// A product deployed on a real host by the agent that is installed there. What counts is the host's state: where the link leads,
// what the service answers, which process runs. units.test.ts boots the host.
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FinishedReport } from '#shared/command/report.ts';
import type { AgentHost } from '#test/fixtures/agent-host.ts';
import { makeProductRepository } from '#test/fixtures/product-repository.ts';

const PORT = 8095;
const UNIT = 'page.service';
// On the disk that a reboot keeps.
const DIR = '/opt/app/page';
const CURRENT = `${DIR}/current`;
/** While it is there, the tests of a slow release do not end. */
const HOLD = '/opt/app/page-hold/hold';
const NODE = '/opt/lamplighter/bin/node';

export const DEPLOY_UNITS = {
  [UNIT]: `[Service]\nUser=nobody\nExecStart=${NODE} ${CURRENT}/web.mjs\nRestart=on-failure\nRestartSec=200ms\n[Install]\nWantedBy=multi-user.target\n`,
};

export const DEPLOY_POLICY = {
  operations: ['deploy.run'],
  healthChecks: [{ port: PORT, paths: ['/'] }],
  deployments: {
    page: {
      account: 'nobody',
      git: {
        remote: `${DIR}/product`,
        releases: `${DIR}/releases`,
        current: CURRENT,
        test: [[NODE, 'check.mjs']],
      },
    },
  },
};

const SERVER = (text: string): string =>
  `import { createServer } from 'node:http';
createServer((_, response) => response.end('${text}')).listen(${PORT}, '127.0.0.1');
`;
const GOOD = 'console.log("2 tests, all good");\n';
const BAD = 'console.error("1 of 2 tests failed: the page is upside down");\nprocess.exit(1);\n';
const SLOW = `import { existsSync } from 'node:fs';\nwhile (existsSync('${HOLD}')) await new Promise((go) => setTimeout(go, 50));\n`;
const HEALTH = { http: { port: PORT, path: '/', status: 200 }, withinMs: 120_000 };
const IMPATIENT = { ...HEALTH, withinMs: 3000 };

/** Made outside of the host, and copied: in a directory that is seen through /proc git can't tell where it is. */
function putHistory(target: string): void {
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-product-'));
  const product = makeProductRepository(dir);
  product.commit('one', { 'web.mjs': SERVER('one'), 'check.mjs': GOOD }, 'v1');
  product.commit('two', { 'web.mjs': SERVER('two') }, 'v2');
  product.commit('tests fail', { 'check.mjs': BAD }, 'v3');
  product.commit('does not start', { 'check.mjs': GOOD, 'web.mjs': "import './missing.mjs';\n" }, 'v4');
  product.commit('slow tests', { 'check.mjs': SLOW, 'web.mjs': SERVER('five') }, 'v5');
  cpSync(dir, target, { recursive: true });
  chmodSync(target, 0o755);
  rmSync(dir, { recursive: true });
}

export function deployCases(host: () => AgentHost): void {
  describe('a deploy', () => {
    const sh = (script: string) => host().sh(script);
    const liveOf = () => sh(`readlink ${CURRENT}`);
    const invocation = () => sh(`systemctl show -P InvocationID ${UNIT}`);
    const served = () =>
      sh(`${NODE} -e 'fetch("http://127.0.0.1:${PORT}/").then((r) => r.text()).then(console.log)'`);
    /** The release that the running process was started from. */
    const runsFrom = () => sh(`tr '\\0' '\\n' </proc/$(systemctl show -P MainPID ${UNIT})/cmdline | tail -1`);

    const begin = (ref: string, health: object = HEALTH) =>
      host().send({
        operation: 'deploy.run',
        params: { deployment: 'page', ref },
        spec: { deployment: 'page', ref, services: [{ service: 'page', unit: UNIT, health }] },
        timeoutMs: 600_000,
      });
    async function deploy(ref: string, health?: object): Promise<FinishedReport> {
      const { report, signedBy } = await host().finished((await begin(ref, health)).id);
      expect(signedBy).toBe('runner');
      return report;
    }
    const recorded = (id: string, text: string) =>
      host().until(`grep -q '${text}' /var/lib/lamplighter/runs/${id}/steps.ndjson`);

    test('of the first release: fetched, tested and installed as the account, and the service runs from it', async () => {
      await sh(`mkdir -p ${DIR} $(dirname ${HOLD})`);
      putHistory(join(host().machine.rootPath, DIR, 'product'));
      const report = await deploy('v1');
      expect(report).toMatchObject({
        state: 'succeeded',
        result: { ref: 'v1', before: null, restarted: [UNIT] },
      });
      expect(await served()).toBe('one');
      expect(await sh(`stat -c %U ${CURRENT}/web.mjs ${DIR}/releases`)).toBe('nobody\nroot');
      expect(await sh(`stat -c '%U %a' /var/lib/lamplighter/deployments/page/mirror.git`)).toBe('nobody 700');
    });

    test('of a good release: the link and the service follow, the one before stays beside it', async () => {
      const before = await liveOf();
      const report = await deploy('v2');
      expect(report).toMatchObject({ state: 'succeeded', result: { before } });
      expect(await liveOf()).not.toBe(before);
      expect(await served()).toBe('two');
      expect(await sh(`ls ${DIR}/releases | wc -l`)).toBe('2');
    });

    test('whose tests fail: nothing that runs is touched', async () => {
      const [link, start] = [await liveOf(), await invocation()];
      expect(await deploy('v3')).toMatchObject({
        state: 'failed',
        code: 'step-failed',
        message: expect.stringMatching(/^test: run .* exit 1; everything was put back$/),
        output: expect.arrayContaining(['1 of 2 tests failed: the page is upside down']),
      });
      expect([await liveOf(), await invocation()]).toEqual([link, start]);
      expect(await sh(`ls ${DIR}/releases | wc -l`)).toBe('2');
    });

    test('that does not come up: the old release runs again, and the journal says why', async () => {
      const [link, start] = [await liveOf(), await invocation()];
      const report = await deploy('v4', IMPATIENT);
      expect(report).toMatchObject({
        state: 'failed',
        code: 'unhealthy',
        message: expect.stringContaining('everything was put back'),
      });
      expect(report.output?.join('\n')).toContain('missing.mjs');
      expect(await liveOf()).toBe(link);
      expect(await invocation()).not.toBe(start);
      expect(await served()).toBe('two');
      expect(await sh(`ls ${DIR}/releases | wc -l`)).toBe('2');
    });

    test('whose runner is killed in the tests: the old release runs on, what the tests started is gone', async () => {
      const [link, start] = [await liveOf(), await invocation()];
      await sh(`touch ${HOLD}`);
      const { id } = await begin('v5');
      await host().until('pgrep -u nobody -f check.mjs');
      await sh("systemctl kill --signal=KILL 'lamplighter-run@*'");
      expect((await host().finished(id)).report).toMatchObject({ state: 'failed', code: 'interrupted' });
      expect(await sh('pgrep -u nobody -f check.mjs || true')).toBe('');
      expect([await liveOf(), await invocation()]).toEqual([link, start]);
      expect(await sh(`ls ${DIR}/releases | wc -l`)).toBe('2');
    });

    test('whose runner is killed while services restart: one of the two releases runs, as the report says', async () => {
      await sh(`rm ${HOLD}`);
      const { id } = await begin('v5');
      await recorded(id, '"step":"restart-services","phase":"begin"');
      await sh("systemctl kill --signal=KILL 'lamplighter-run@*'");
      const { report } = await host().finished(id);
      expect(['succeeded', 'failed']).toContain(report.state);
      expect(await served()).toBe(report.state === 'succeeded' ? 'five' : 'two');
      expect(await runsFrom()).toBe(`${CURRENT}/web.mjs`);
    });
  });
}

/** After everything else: the host is not the same afterwards. */
export function deployRebootCase(host: () => AgentHost): void {
  test('a deploy, the plug pulled in its tests: after the boot the release before runs', async () => {
    const sh = (script: string) => host().sh(script);
    await sh(`systemctl enable --quiet ${UNIT}; touch ${HOLD}`);
    const link = await sh(`readlink ${CURRENT}`);
    const { id } = await host().send({
      operation: 'deploy.run',
      spec: { deployment: 'page', ref: 'v5', services: [{ service: 'page', unit: UNIT, health: HEALTH }] },
      timeoutMs: 600_000,
    });
    await host().until('pgrep -u nobody -f check.mjs');
    await host().machine.reboot();
    expect((await host().finished(id)).report).toMatchObject({ state: 'failed', code: 'interrupted' });
    expect(await sh(`readlink ${CURRENT}`)).toBe(link);
    await host().until(`test "$(systemctl is-active ${UNIT})" = active`);
  });
}
