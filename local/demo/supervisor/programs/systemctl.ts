// The stand-in for systemctl(1) on a supervised host: hands its arguments to the supervisor and prints the answer.
import { connect } from 'node:net';
import { join } from 'node:path';
import { CONTROL_SOCKET, ProgramAnswer } from '../systemctl-answer.ts';

const root = join(process.argv[1] ?? '', '../../..');
const socket = connect(join(root, CONTROL_SOCKET));
let text = '';
socket.on('connect', () => socket.write(`${JSON.stringify(process.argv.slice(2))}\n`));
socket.setEncoding('utf8').on('data', (chunk: string) => {
  text += chunk;
});
socket.on('error', (error) => {
  console.error(`Failed to connect to the supervisor: ${error.message}`);
  process.exitCode = 1;
});
socket.on('end', () => {
  const { code, stdout, stderr } = ProgramAnswer.parse(JSON.parse(text));
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = code;
});
