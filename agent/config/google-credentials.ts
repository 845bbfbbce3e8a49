// Google credentials from a file, for a VM that has none from a metadata server: a service account's key, or a configuration of
// workload identity federation. Google's clients look for them where GOOGLE_APPLICATION_CREDENTIALS says.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PATHS } from './paths.ts';

/** What a process that talks to Google needs in its environment; empty where the VM's own identity is used. */
export function googleEnvironment(file: string = PATHS.googleCredentials): Record<string, string> {
  return existsSync(file) ? { GOOGLE_APPLICATION_CREDENTIALS: file } : {};
}

/** Where systemd's LoadCredential= puts the file for the agent, which can't read root's. */
export function agentGoogleEnvironment(credentialsDir: string | undefined): Record<string, string> {
  return googleEnvironment(credentialsDir && join(credentialsDir, 'google-credentials.json'));
}
