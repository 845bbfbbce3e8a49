import { expect, test } from 'vitest';
import { parseMail } from '#local/cloud/mail/read.ts';
import { renderMail } from '#local/cloud/mail/show.ts';

test.each([
  ['plain', '[P1] down', '[P1] down'],
  ['base64', `=?UTF-8?B?${Buffer.from('zürich ist aus').toString('base64')}?=`, 'zürich ist aus'],
  ['quoted', '=?UTF-8?Q?z=C3=BCrich_ist_aus?=', 'zürich ist aus'],
  ['two words in a row', '=?UTF-8?Q?z=C3=BC?=\r\n =?UTF-8?Q?rich?=', 'zürich'],
])('decodes a subject: %s', async (_name, header, text) => {
  expect((await parseMail('1.eml', Buffer.from(`Subject: ${header}\r\n\r\n`))).subject).toBe(text);
});

const MULTIPART = [
  'X-Envelope-To: a@example.com',
  'X-Received-At: 2026-11-23T10:00:00.000Z',
  'Subject: a long',
  ' subject',
  'From: Lamp <lamp@example.com>',
  'Content-Type: multipart/alternative; boundary="xyz"',
  '',
  '--xyz',
  'Content-Type: text/html',
  '',
  '<b>no</b>',
  '--xyz',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'it =E2=9C=93',
  '--xyz--',
  '',
].join('\r\n');

test('reads the plain text of a multipart mail', async () => {
  const mail = await parseMail('1.eml', Buffer.from(MULTIPART));
  expect(mail).toMatchObject({
    subject: 'a long subject',
    to: 'a@example.com',
    from: 'Lamp <lamp@example.com>',
  });
  expect(mail.text.trim()).toBe('it ✓');
  expect(mail.at.toISOString()).toBe('2026-11-23T10:00:00.000Z');
});

test('a mail cannot steer the terminal that it is printed on', async () => {
  const mail = await parseMail('1.eml', Buffer.from('Subject: a\u001b[2J\r\n\r\nb\u001b[31m\r\nc\r\n'));
  expect(renderMail(mail)).not.toContain('\u001b');
  expect(renderMail(mail)).toContain('\nb?[31m\nc\n');
});
