// Set when the bundle is made; from the sources it says so.
declare const __LAMPLIGHTER_VERSION__: string | undefined;

/** The agent's version, as heartbeats carry it. */
export const AGENT_VERSION: string =
  typeof __LAMPLIGHTER_VERSION__ === 'undefined' ? '0.0.0-sources' : __LAMPLIGHTER_VERSION__;
