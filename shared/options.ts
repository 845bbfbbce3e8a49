// The options of a command line, as a person gave them: the parser's own words never reach them.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { LamplighterError } from './errors.ts';

/** What is wrong, by the parser's codes (nodejs.org/api/errors.html); its messages quote what they are about first. */
function describeFault(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const about = /'(?:-\w, )?(-{1,2}[^' ]+|[^']*)/.exec(error.message)?.[1] ?? '';
  if (error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `there is no option ${about}`;
  if (error.code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') return `"${about}" is one argument too many`;
  if (error.code !== 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') return undefined;
  return error.message.includes('does not take') ? `${about} takes no value` : `${about} needs a value`;
}

/** As `parseArgs` of node:util. Throws `invalid-input` with this hint. */
export function parseOptions<T extends ParseArgsConfig>(
  config: T,
  hint: string,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    const fault = describeFault(error);
    if (fault === undefined) throw error;
    throw new LamplighterError('invalid-input', `read options: ${fault}`, { hint, cause: error });
  }
}
