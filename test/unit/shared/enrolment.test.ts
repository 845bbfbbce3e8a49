import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openEnrolment } from '#shared/enrolment.ts';
import { type DsseEnvelope, PAYLOAD_TYPES } from '#shared/signing/dsse.ts';
import { makeKey } from '#test/fixtures/deps.ts';
import { signedEnrolment, signStatement } from '#test/fixtures/enrolment.ts';

const [agent, runner, stranger] = [makeKey(), makeKey(), makeKey()];
const STATEMENT = { host: 'web-1', agentKeys: [agent.publicPem], runnerKeys: [runner.publicPem] };

test('what the installer writes proves the host and both keys, and is the same for the same keys', async () => {
  const document = await signedEnrolment('web-1', agent, runner);
  expect(openEnrolment(document)).toEqual({
    proven: true,
    host: 'web-1',
    keys: [
      { role: 'agent', keyId: document.signatures[0]?.keyid, pem: agent.publicPem },
      { role: 'runner', keyId: document.signatures[1]?.keyid, pem: runner.publicPem },
    ],
  });
  expect(await signedEnrolment('web-1', agent, runner)).toEqual(document);
});

test('two keys of each role need four signatures', async () => {
  const keys = [agent, stranger, runner, makeKey()];
  const [a, b, c, d] = keys.map(({ publicPem }) => publicPem);
  const statement = { host: 'web-1', agentKeys: [a, b], runnerKeys: [c, d] };
  expect(openEnrolment(await signStatement(statement, keys))).toMatchObject({ proven: true });
  for (const left of keys) {
    const others = keys.filter((key) => key !== left);
    expect(openEnrolment(await signStatement(statement, others))).toMatchObject({ proven: false });
  }
});

describe('proves nothing', () => {
  /** The signature of one key under the name of another. */
  async function underAnotherName(): Promise<DsseEnvelope> {
    const right = await signStatement(STATEMENT, [agent, runner]);
    const forged = await signStatement(STATEMENT, [agent, stranger]);
    const names = right.signatures.map(({ keyid }) => keyid);
    return {
      ...forged,
      signatures: forged.signatures.map((signature, i) => ({ ...signature, keyid: names[i] ?? '' })),
    };
  }
  async function forAnother(): Promise<DsseEnvelope> {
    const document = await signStatement(STATEMENT, [agent, runner]);
    const payload = Buffer.from(JSON.stringify({ ...STATEMENT, host: 'web-2' })).toString('base64');
    return { ...document, payload };
  }
  const NO_KEY = '-----BEGIN PUBLIC KEY-----\naGVsbG8=\n-----END PUBLIC KEY-----\n';
  const x25519 = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const table: [string, () => Promise<DsseEnvelope>, RegExp][] = [
    [
      'signed by the agent alone',
      () => signStatement(STATEMENT, [agent]),
      /the runner's key .* did not sign/,
    ],
    [
      'signed by the runner alone',
      () => signStatement(STATEMENT, [runner]),
      /the agent's key .* did not sign/,
    ],
    ['signed by a stranger', () => signStatement(STATEMENT, [agent, stranger]), /did not sign/],
    [
      "a stranger's signature under the runner's key id",
      underAnotherName,
      /the runner's key .* did not sign/,
    ],
    ['the signatures of one host around the name of another', forAnother, /did not sign/],
    [
      'signed as a report',
      () => signStatement(STATEMENT, [agent, runner], 'report'),
      /not a signed enrolment/,
    ],
    [
      'signed as a report and called an enrolment',
      async () => ({
        ...(await signStatement(STATEMENT, [agent, runner], 'report')),
        payloadType: PAYLOAD_TYPES.enrolment,
      }),
      /did not sign/,
    ],
    [
      'one key for both',
      () => signStatement({ ...STATEMENT, runnerKeys: STATEMENT.agentKeys }, [agent]),
      /share a key/,
    ],
    [
      'another kind of key',
      () => signStatement({ ...STATEMENT, agentKeys: [x25519] }, [runner]),
      /^a key is not an Ed25519 public key in PEM$/,
    ],
    [
      'a key whose middle is no key',
      () => signStatement({ ...STATEMENT, agentKeys: [NO_KEY] }, [runner]),
      /^a key is not an Ed25519 public key in PEM$/,
    ],
    ['no key', () => signStatement({ ...STATEMENT, agentKeys: ['hello'] }, [runner]), /does not name a host/],
    [
      'a private key in the place of the public one',
      () => signStatement({ ...STATEMENT, agentKeys: [agent.privatePem] }, [agent, runner]),
      /does not name a host and its keys/,
    ],
    ['no statement', () => signStatement({ host: 'web-1' }, [agent]), /does not name a host and its keys/],
  ];
  test.each(table)('%s', async (_name, make, reason) => {
    expect(openEnrolment(await make())).toEqual({ proven: false, reason: expect.stringMatching(reason) });
  });
});
