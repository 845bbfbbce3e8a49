// terraform/ planned and applied by the real program, over a provider that has the schema of Google's and refuses what
// Google is known to refuse (test/fixtures/terraform/provider). Skipped where the program `terraform` is missing.
import { afterEach, describe, expect, test } from 'vitest';
import { MAX_HOST_NAME_LENGTH } from '#shared/names.ts';
import { isLong } from '#test/fixtures/long.ts';
import { openWorkspace, TERRAFORM, type Workspace } from '#test/fixtures/terraform/workspace.ts';

const SECRETS = {
  channel_secrets: { smtp: 'smtps://user:mail-secret@smtp.example.com:465' },
  database_password: 'databasesecretdatabasesecret',
  functions_database_password: 'functionssecretfunctionssecret',
  webhook_secrets: { 'restart-hook': 'hmac-key-of-the-test' },
};
const SETTINGS = {
  project: 'my-project',
  hosts: ['web-1', 'w'.repeat(MAX_HOST_NAME_LENGTH)],
  mail_from: 'ops@example.com',
  alert_email: 'ops@example.com',
  deployers: ['user:alice@example.com'],
};
const VARIABLES = { ...SETTINGS, ...SECRETS };

let workspace: Workspace | undefined;
afterEach(() => {
  workspace?.close();
  workspace = undefined;
});

async function open(...args: Parameters<typeof openWorkspace>): Promise<Workspace> {
  workspace = await openWorkspace(...args);
  return workspace;
}

describe.skipIf(!TERRAFORM)('terraform apply (skipped where the terraform program is missing)', () => {
  test('makes everything in one go, and then has nothing left to change', async () => {
    const { cloud, run, read } = await open(VARIABLES);
    expect(await run('apply', '-auto-approve')).toMatchObject({ status: 0 });
    expect(cloud.all('google_cloudfunctions2_function')).toHaveLength(9);
    expect(cloud.all('google_sql_database_instance')).toHaveLength(1);
    // 0: no changes; 2 would be some.
    expect(await run('plan', '-detailed-exitcode')).toMatchObject({ status: 0 });
    const state = read('terraform.tfstate');
    expect(state).toContain('lamplighter-channel-secrets');
    const passwords = [SECRETS.database_password, SECRETS.functions_database_password];
    for (const secret of ['mail-secret', ...passwords, 'hmac-key']) {
      expect(state).not.toContain(secret);
    }
  });

  test('makes no network and no instance for a database of one’s own', async () => {
    const own = {
      create_database: false,
      owner_database_url: 'postgresql://u:p@db.example.com/l?sslmode=verify-full',
      database_url: 'postgresql://lamplighter_functions:q@db.example.com/l?sslmode=verify-full',
    };
    const { cloud, run } = await open({ ...SETTINGS, ...own, channel_secrets: SECRETS.channel_secrets });
    expect(await run('apply', '-auto-approve')).toMatchObject({ status: 0 });
    expect(cloud.all('google_sql_database_instance')).toEqual([]);
    expect(cloud.all('google_compute_network')).toEqual([]);
    const [service] = cloud
      .all('google_cloudfunctions2_function')
      .flatMap((made) => made['service_config'] ?? []);
    expect(service).toMatchObject({ direct_vpc_network_interface: [] });
  });

  test('makes the entry point that migrates before any that serves', async () => {
    const { cloud, run } = await open(VARIABLES);
    expect(await run('apply', '-auto-approve', '-target=module.admin')).toMatchObject({ status: 0 });
    const made = cloud.all('google_cloudfunctions2_function').map((state) => state['name']);
    expect(made).toEqual(['lamplighter-admin']);
    const invokers = cloud.all('google_cloud_run_v2_service_iam_member').map((state) => state['member']);
    expect(invokers).toEqual(['serviceAccount:lamplighter-deployer@my-project.iam.gserviceaccount.com']);
    expect(await run('apply', '-auto-approve')).toMatchObject({ status: 0 });
  });

  test('grants nothing to everybody where the organisation forbids it', async () => {
    const { run } = await open({ ...VARIABLES, public_access: 'all-users' }, { restrictsDomains: true });
    const refused = await run('apply', '-auto-approve');
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.output).toContain('do not belong to a permitted customer');
    workspace?.close();
    const other = await open({ ...VARIABLES, public_access: 'no-invoker-check' }, { restrictsDomains: true });
    expect(await other.run('apply', '-auto-approve')).toMatchObject({ status: 0 });
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['a host name of 21 characters', { hosts: ['w'.repeat(21)] }, /at most 20 long/],
    [
      'a password that would break the URL',
      { database_password: 'short/and@odd' },
      /at least 24 letters and digits/,
    ],
    ['a way to open the API that does not exist', { public_access: 'open' }, /all-users or no-invoker-check/],
  ])('refuses %s at the plan', async (_name, change, says) => {
    const { run } = await open({ ...VARIABLES, ...change });
    const { status, output } = await run('plan');
    expect(status).toBe(1);
    // Terraform wraps its messages.
    expect(output.replaceAll(/\s+/g, ' ')).toMatch(says);
  });
});

const FUNCTION = '-target=module.serving["sign"]';

const REFUSALS: [string, string, string | RegExp, string, string, string][] = [
  [
    'an API that is not enabled',
    'pubsub.tf',
    /(name += "lamplighter-dead-letters"\n) +depends_on.*\n/,
    '$1',
    '-target=google_pubsub_topic.dead_letters',
    'has not been used',
  ],
  [
    'a grant to a service agent that does not exist yet',
    'service-accounts.tf',
    'google_project_service_identity.pubsub.member',
    '"serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"',
    '-target=google_service_account_iam_member.push_tokens',
    'does not exist',
  ],
  [
    'a push whose tokens nobody may sign',
    'pubsub.tf',
    '  depends_on = [google_service_account_iam_member.push_tokens]\n',
    '',
    '-target=google_pubsub_subscription.push',
    'may not mint tokens',
  ],
  [
    'a notification to a topic that Cloud Storage may not publish to',
    'bucket.tf',
    '  depends_on     = [google_pubsub_topic_iam_member.storage]\n',
    '',
    '-target=google_storage_notification.finalised',
    'may not publish',
  ],
  [
    'a bucket whose key Cloud Storage may not use',
    'bucket.tf',
    '  depends_on = [google_kms_crypto_key_iam_member.storage]\n',
    '',
    '-target=google_storage_bucket.backups',
    'may not use it',
  ],
  [
    'a function whose secret has no value yet',
    'functions.tf',
    '    google_secret_manager_secret_version.database_url,\n',
    '',
    FUNCTION,
    'has no version latest',
  ],
  [
    'a function whose account may not read its secret',
    'functions.tf',
    '    google_secret_manager_secret_iam_member.reader,\n',
    '',
    FUNCTION,
    'Permission denied on secret',
  ],
  [
    'a build that may not write its image',
    'functions.tf',
    '    google_artifact_registry_repository_iam_member.build,\n',
    '',
    FUNCTION,
    'may not write images',
  ],
  [
    'an account name of 31 characters',
    'service-accounts.tf',
    'lamp-host-${each.key}',
    'lamp--host-${each.key}',
    '-target=google_service_account.host',
    '6 to 30 characters',
  ],
  [
    'an argument that the type does not have',
    'pubsub.tf',
    'enable_message_ordering',
    'ordered',
    'plan',
    'Unsupported argument',
  ],
  [
    'a value that the documentation does not list',
    'function/main.tf',
    'VPC_EGRESS_PRIVATE_RANGES_ONLY',
    'PRIVATE',
    'plan',
    'is none of',
  ],
  [
    'a required argument that is missing',
    'scheduler.tf',
    /name += "lamplighter-\$\{each.key\}"\n/,
    '',
    'plan',
    'Missing required argument',
  ],
];
/** A sample of each way in which the stand-in decides: by what exists already, and by what the files say. `--long` runs all. */
const USUAL = new Set([
  'an API that is not enabled',
  'a function whose secret has no value yet',
  'a value that the documentation does not list',
]);

describe.skipIf(!TERRAFORM)('the stand-in refuses what Google would (skipped without terraform)', () => {
  test.each(REFUSALS.filter(([name]) => isLong || USUAL.has(name)))(
    '%s',
    async (_name, file, search, replacement, target, says) => {
      const { run, edit } = await open(VARIABLES);
      edit(file, search, replacement);
      const { status, output } =
        target === 'plan' ? await run('plan') : await run('apply', '-auto-approve', target);
      expect(status).toBe(1);
      // Terraform wraps its messages.
      expect(output.replaceAll(/\s+/g, ' ')).toContain(says);
    },
  );
});
