import { expect, test } from 'vitest';
import { refuseObstacles } from '#agent/operations/restore/obstacles.ts';

const NOWHERE = { socketDir: '/nonexistent', port: 5432 };
const PROPERTIES = {
  owner: 'postgres',
  encoding: 'UTF8',
  collate: 'C',
  ctype: 'C',
  localeProvider: 'c' as const,
  locale: null,
  icuRules: null,
  tablespace: 'pg_default',
  connectionLimit: -1,
  isTemplate: false,
  comment: null,
  grants: null,
  settings: [],
  securityLabels: [],
};

test.each(['postgres', 'template0', 'template1'])(
  '%s is refused before the server is asked',
  async (name) => {
    await expect(refuseObstacles(NOWHERE, name, PROPERTIES)).rejects.toMatchObject({
      code: 'refused',
      hint: expect.stringContaining('pg_restore'),
    });
  },
);
