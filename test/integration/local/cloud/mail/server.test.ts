import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readMail } from '#local/cloud/mail/read.ts';
import { type MailServer, startMailServer } from '#local/cloud/mail/server.ts';

let dir: string;
let server: MailServer;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-mail-'));
  server = await startMailServer({
    host: '127.0.0.1',
    port: 0,
    dir,
    refuse: (to) => (to.startsWith('nobody') ? { code: 550, text: 'no such mailbox' } : undefined),
  });
});
afterEach(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

test('keeps a mail whole and readable, with dots, umlauts and html', async () => {
  const transport = createTransport(server.url);
  const text = 'first line\n.\n..dot\nprüfung ✓\n';
  await transport.sendMail({
    from: 'a@example.com',
    to: 'b@example.com',
    subject: 'prüfung ✓',
    text,
    html: '<p>x</p>',
  });
  transport.close();
  const [mail] = await readMail(dir);
  expect(mail).toMatchObject({ subject: 'prüfung ✓', to: 'b@example.com' });
  expect(mail?.text.replaceAll('\r\n', '\n').trimEnd()).toBe(text.trimEnd());
});

test('refuses a recipient with the code it was told', async () => {
  const transport = createTransport(server.url);
  const sent = transport.sendMail({
    from: 'a@example.com',
    to: 'nobody@example.com',
    subject: 's',
    text: 't',
  });
  await expect(sent).rejects.toMatchObject({ responseCode: 550 });
  transport.close();
  expect(await readMail(dir)).toEqual([]);
});

test('refuses a mail over the limit and keeps nothing of it', async () => {
  const transport = createTransport(server.url);
  const text = 'x'.repeat(11 * 1024 * 1024);
  const sent = transport.sendMail({ from: 'a@example.com', to: 'b@example.com', subject: 's', text });
  await expect(sent).rejects.toMatchObject({ responseCode: 552 });
  transport.close();
  expect(await readMail(dir)).toEqual([]);
});

test('a client that breaks off in the middle leaves the server working and no mail', async () => {
  const socket = createConnection(Number(new URL(server.url).port), '127.0.0.1');
  await new Promise<void>((resolve) => {
    socket.once('data', () => {
      socket.write(
        'EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: half\r\n',
      );
      setTimeout(() => socket.destroy(), 100).unref();
    });
    socket.once('close', () => resolve());
  });
  const transport = createTransport(server.url);
  await transport.sendMail({ from: 'a@example.com', to: 'b@example.com', subject: 'whole', text: 't' });
  transport.close();
  expect((await readMail(dir)).map(({ subject }) => subject)).toEqual(['whole']);
});

test('a port that is taken is said clearly', async () => {
  const port = Number(new URL(server.url).port);
  await expect(startMailServer({ host: '127.0.0.1', port, dir })).rejects.toMatchObject({
    code: 'unavailable',
  });
});
