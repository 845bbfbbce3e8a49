import { expect, test } from 'vitest';
import { parseLeaders } from '#local/demo/supervisor/leftovers.ts';

const ROOT = '/tmp/lamplighter-1000-0011aabb';

test('only leaders of groups that name this root, and never ourselves', () => {
  const text = [
    `  10  10 ${ROOT}/opt/app/bin/node web.mjs`,
    `  11  10 ${ROOT}/opt/app/bin/node a child of that group`,
    `  12  12 nginx: master process /usr/sbin/nginx -p ${ROOT}/etc/nginx`,
    `  13  13 node --home ${ROOT}99/x`,
    '  14  14 /bin/bash',
    `  15  15 ${ROOT}/us`,
  ].join('\n');
  expect(parseLeaders(text, ROOT, 15)).toEqual([10, 12]);
});
