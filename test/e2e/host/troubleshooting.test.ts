// Troubleshooting on a real host, as the installer's units let it be: what counts is how the host stands afterwards.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { debianBase } from '#local/demo/platform/debian-base.ts';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { dbConnections, dbReady, dbSessions } from '#shared/operations/db.ts';
import { diskClean, diskUsage } from '#shared/operations/disk.ts';
import { jobsReset, jobsStuck } from '#shared/operations/jobs.ts';
import { serviceLogs } from '#shared/operations/logs.ts';
import { MemoryTop } from '#shared/operations/memory.ts';
import { type AgentHost, POLICY, startAgentHost } from '#test/fixtures/agent-host.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const { systemdHost } = detectCapabilities();
const BRIEF = { activeForMs: 500 };
const PROXY = 'nginx.service';
const WEB = 'steady.service';
const TALKER = 'talker.service';
const LOGS = '/opt/app/logs';
const NGINX_CONF = '/etc/nginx/nginx.conf';
const GOOD = 'events {}\nhttp { server { listen 127.0.0.1:8085; return 204; } }\npid /run/nginx.pid;\n';

const POLICY_HERE = {
  operations: [
    ...POLICY.operations,
    'service.configtest',
    'stack.restart',
    'db.ready',
    'db.connections',
    'db.sessions',
    'jobs.stuck',
    'jobs.reset',
    'disk.usage',
    'disk.clean',
    'memory.top',
  ],
  secretFiles: ['/opt/secret.env'],
  units: {
    [WEB]: ['status', 'restart'],
    [TALKER]: ['logs'],
    [PROXY]: ['status', 'restart'],
  },
  configTests: { [PROXY]: debianBase.nginxTest() },
  databases: { shop: { allow: ['look'] } },
  jobs: { etl: { database: 'shop', table: 'jobs', stuckStatus: 'processing', resetTo: 'failed' } },
  disk: { look: ['/opt/app'], clean: { logs: { folder: LOGS, names: ['*.log'] } } },
};

const UNITS = {
  [TALKER]: `[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for i in 1 2 3 4 5 6 7 8 9; do echo "Lot $i: ordinary"; done; echo "<4>Lot 10: slow"; echo "<3>Lot 11: key s3cr3t-Value-9 refused"'
`,
  // A program's arguments may hold secrets.
  'hog.service': `[Service]
ExecStart=/opt/lamplighter/bin/node -e "const held = Buffer.alloc(150e6, 1); setInterval(() => held.length, 1e9)" -- --password=hunter2
`,
  'writer.service': `[Service]
User=app
ExecStart=/bin/sh -c "exec sleep infinity < ${LOGS}/open.log"
`,
  'asker.service': `[Service]
User=postgres
ExecStart=/usr/bin/psql -X -d shop -c "SELECT pg_sleep(100000), 'hunter2'"
`,
};

describe.skipIf(systemdHost !== true)(`troubleshooting on a real host${whySkipped(systemdHost)}`, () => {
  let host: AgentHost;

  beforeAll(async () => {
    host = await startAgentHost({ policy: POLICY_HERE, units: UNITS });
    await debianBase.makeAccount(host.machine);
    await debianBase.startPostgres(host.machine);
    await write(NGINX_CONF, GOOD);
    await host.sh(`mkdir -p ${LOGS} /var/log/nginx && chown -R app:app /opt/app`);
    await sql('postgres', 'CREATE ROLE app LOGIN', 'CREATE DATABASE shop OWNER app');
    await sql(
      'shop',
      'SET ROLE app; CREATE TABLE public.jobs (id bigint PRIMARY KEY, status text, created_at timestamptz)',
      "INSERT INTO public.jobs SELECT h, 'processing', now() - make_interval(hours => h) FROM generate_series(0, 4) AS h",
    );
    await write('/opt/secret.env', 'API_KEY=s3cr3t-Value-9\n');
    await host.sh(`echo > ${LOGS}/open.log; chown app ${LOGS}/open.log`);
    await host.sh(
      `systemctl daemon-reload; systemctl start ${WEB} ${PROXY} hog.service writer.service asker.service`,
    );
    // systemd calls a unit started before its program has done anything.
    await host.until(`readlink /proc/$(systemctl show -P MainPID writer.service)/fd/0 | grep -q open.log`);
    const asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND state = 'active'";
    await host.until(`test "$(runuser -u postgres -- psql -XAtc "${asked}")" = 1`);
  });
  afterAll(async () => {
    await host?.close();
  });

  async function write(path: string, text: string): Promise<void> {
    await host.machine.run(['/usr/bin/tee', path], { input: text });
  }
  async function sql(database: string, ...statements: string[]): Promise<string> {
    const { stdout } = await host.machine.run(
      ['/usr/bin/psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', database, '-f', '-'],
      { user: 'postgres', input: statements.map((statement) => `${statement};\n`).join('') },
    );
    return stdout.trim();
  }
  async function end(operation: string, spec: object, more: object = {}) {
    const { id } = await host.send({ operation, spec, ...more });
    const { report, signedBy } = await host.finished(id);
    expect(signedBy).toBe('runner');
    return report;
  }
  async function result(operation: string, spec: object): Promise<unknown> {
    const report = await end(operation, spec);
    expect(report).toMatchObject({ state: 'succeeded' });
    return report.result;
  }
  const starts = async (unit: string): Promise<string> =>
    await host.sh(`systemctl show -P InvocationID ${unit}; systemctl show -P NRestarts ${unit}`);
  const upSince = async (unit: string): Promise<number> =>
    Number(await host.sh(`systemctl show -P ActiveEnterTimestampMonotonic ${unit}`));

  describe('a configuration with a fault', () => {
    const STACK = {
      services: [
        { service: 'web', unit: WEB, health: BRIEF },
        { service: 'nginx', unit: PROXY, health: BRIEF },
      ],
    };

    test('is told with its line, and nothing is restarted', async () => {
      expect(await end('service.configtest', { unit: PROXY })).toMatchObject({ state: 'succeeded' });
      await write(NGINX_CONF, GOOD.replace('return 204;', 'retrun 204;'));
      const before = [await starts(WEB), await starts(PROXY)];
      const report = await end('service.configtest', { unit: PROXY });
      expect(report).toMatchObject({ state: 'failed', code: 'bad-configuration' });
      expect(report.output?.join('\n')).toContain(`unknown directive "retrun" in ${NGINX_CONF}:2`);
      expect(await end('stack.restart', STACK)).toMatchObject({ state: 'failed', code: 'bad-configuration' });
      expect([await starts(WEB), await starts(PROXY)]).toEqual(before);
    });

    test('once it is mended, both are restarted, the one that is needed first', async () => {
      await write(NGINX_CONF, GOOD);
      const before = [await starts(WEB), await starts(PROXY)];
      expect(await end('stack.restart', STACK)).toMatchObject({ state: 'succeeded' });
      expect(await starts(WEB)).not.toBe(before[0]);
      expect(await starts(PROXY)).not.toBe(before[1]);
      expect(await upSince(WEB)).toBeLessThan(await upSince(PROXY));
      // A minimal machine has no curl.
      const ask = "fetch('http://127.0.0.1:8085/').then(({ status }) => console.log(status))";
      expect(await host.sh(`/opt/lamplighter/bin/node -e "${ask}"`)).toBe('204');
    });
  });

  test('a clean-up removes the old logs, and leaves what is open, linked, young or the newest', async () => {
    await host.sh(`cd ${LOGS} && echo precious > /opt/app/precious && ln -s /opt/app/precious link.log
      for f in old1 old2 two-names; do head -c 100000 /dev/zero > $f.log; done; ln two-names.log ../second-name
      touch -h -d "30 days ago" *.log; touch -d "40 days ago" old1.log; echo young > young.log; echo other > old.txt; touch -d "30 days ago" old.txt`);
    const plan = await end('disk.clean', { what: 'logs' }, { dryRun: true });
    expect(JSON.stringify(plan.result)).toMatch(/old1\.log, 100000 bytes.*old2\.log, 100000 bytes/);
    expect(JSON.stringify(plan.result)).not.toMatch(/open\.log|young\.log/);
    const { freedBytes, removed, left } = diskClean.result.parse(
      await result('disk.clean', { what: 'logs' }),
    );
    expect(freedBytes).toBe(200_000);
    expect(removed.map(({ name }) => name).toSorted()).toEqual(['old1.log', 'old2.log']);
    expect(left).toContainEqual({ name: 'open.log', why: 'a process has it open' });
    expect((await host.sh(`ls ${LOGS}`)).split('\n')).toEqual([
      'link.log',
      'old.txt',
      'open.log',
      'two-names.log',
      'young.log',
    ]);
    expect(await host.sh('cat /opt/app/precious')).toBe('precious');
  });

  test('what fills the disk is found below folders of other accounts', async () => {
    await host.sh(
      'mkdir -m 700 /opt/app/closed && head -c 5000000 /dev/zero > /opt/app/closed/large && chown -R app /opt/app/closed',
    );
    const { places } = diskUsage.result.parse(await result('disk.usage', {}));
    expect(places).toMatchObject([{ path: '/opt/app', isPartial: false }]);
    expect(places[0]?.largest.find(({ kind }) => kind === 'file')?.path).toBe('/opt/app/closed/large');
  });

  test('memory is told by unit and process, without any argument', async () => {
    const told = await result('memory.top', {});
    const { processes, units, memory } = MemoryTop.parse(told);
    const hog = processes.find(({ unit }) => unit === 'hog.service');
    expect(hog).toMatchObject({ user: 'root', name: expect.stringContaining('node') });
    expect(hog?.residentBytes).toBeGreaterThan(150e6);
    expect(units.find(({ unit }) => unit === 'hog.service')).toMatchObject({ processes: 1 });
    expect(memory.totalBytes).toBeGreaterThan(memory.availableBytes);
    expect(JSON.stringify(told)).not.toContain('hunter2');
  });

  test('the database says who is connected, and whether it answers', async () => {
    const spec = { database: 'shop' };
    expect(dbReady.result.parse(await result('db.ready', spec)).answer).toBe('accepting');
    const told = await result('db.sessions', spec);
    expect(dbSessions.result.parse(told).sessions).toMatchObject([
      { user: 'postgres', application: 'psql', clientAddress: null, state: 'active' },
    ]);
    expect(JSON.stringify(told)).not.toContain('hunter2');
    expect(dbConnections.result.parse(await result('db.connections', spec)).groups).toContainEqual({
      database: 'shop',
      user: 'postgres',
      state: 'active',
      connections: 1,
    });
    await host.sh('systemctl stop postgresql@*-main.service');
    expect(dbReady.result.parse(await result('db.ready', spec)).answer).toBe('no-answer');
    await host.sh(`systemctl start ${debianBase.postgresUnit()}`);
  });

  test('stuck jobs are listed and reset, and the role for it is gone', async () => {
    const { rows } = jobsStuck.result.parse(await result('jobs.stuck', { jobs: 'etl' }));
    expect(rows.map(({ key }) => key)).toEqual(['4', '3', '2', '1']);
    const plan = await end('jobs.reset', { jobs: 'etl', all: false }, { dryRun: true });
    expect(JSON.stringify(plan.result)).toMatch(/id 4, since .*id 3, since .*id 2, since /);
    expect(await sql('shop', "SELECT count(*) FROM public.jobs WHERE status = 'failed'")).toBe('0');
    const { reset } = jobsReset.result.parse(await result('jobs.reset', { jobs: 'etl', all: false }));
    expect(reset.map(({ key }) => key)).toEqual(['4', '3', '2']);
    expect(
      await sql(
        'shop',
        "SELECT string_agg(id::text, ',' ORDER BY id) FROM public.jobs WHERE status = 'failed'",
      ),
    ).toBe('2,3,4');
    expect(await sql('postgres', "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'lamplighter%'")).toBe(
      '0',
    );
  });

  describe('a log', () => {
    async function read(query: object): Promise<string[]> {
      const { id } = await host.send({
        operation: 'service.logs',
        spec: { unit: TALKER, lines: 3, ...query },
      });
      const { report } = await host.finished(id);
      expect(report).toMatchObject({ state: 'succeeded' });
      return serviceLogs.result.parse(report.result).lines.map(({ message }) => message);
    }
    const wholeDay = new Date(Date.now() - 24 * 60 * 60_000).toISOString();

    test('is read by time, priority and text, and the newest lines are those that are kept', async () => {
      await host.sh('systemctl start talker.service; journalctl --sync');
      const first = new Date().toISOString();
      await host.sh('systemctl start talker.service; journalctl --sync');
      expect(await read({ since: wholeDay, grep: 'lot 7' })).toEqual(['Lot 7: ordinary', 'Lot 7: ordinary']);
      expect(await read({ until: first, grep: 'LOT 7' })).toEqual(['Lot 7: ordinary']);
      const bad = await read({ since: first, priority: 'warning' });
      expect(bad).toEqual(['Lot 10: slow', expect.stringMatching(/^Lot 11: key (?!.*s3cr3t).* refused$/)]);
      expect(await read({ since: wholeDay, lines: 2, grep: 'ordinary' })).toEqual([
        'Lot 8: ordinary',
        'Lot 9: ordinary',
      ]);
      expect((await read({ since: wholeDay })).at(-1)).toMatch(/[Ff]inished|[Dd]eactivated/);
    });

    test('a guess at a secret finds nothing', async () => {
      expect(await read({ lines: 100, grep: 's3cr3t-Value-9' })).toEqual([]);
      expect(await read({ lines: 100, grep: 's3cr3t' })).toEqual([]);
    });
  });
});
