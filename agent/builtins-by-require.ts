// How a bundle takes Node's own modules.
import { builtinModules } from 'node:module';
import type { Plugin } from 'esbuild';

/**
 * Takes Node's own modules by `require`. An ES import reads every export of such a module, and some load much when they
 * are read: `http.WebSocket` all of `fetch`, `process.stdin` a stream of the terminal.
 */
export const BUILTINS_BY_REQUIRE: Plugin = {
  name: 'builtins-by-require',
  setup: ({ onResolve, onLoad }) => {
    const filter = new RegExp(`^(node:)?(${builtinModules.join('|')})$`);
    onResolve({ filter }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};
