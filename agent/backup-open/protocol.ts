// The protocol between the runner and the process that decrypts a dump. Stdin brings the key of this one file in
// hexadecimal, never the identity that opens others; stdout is the file that is written.

/** File descriptor of the encrypted file. */
export const SEALED_FD = 3;
/** File descriptor on which the process says that it is ready. */
export const READY_FD = 4;
/** Written when everything is loaded: from then on the process opens nothing, and can't. */
export const READY = 'ready\n';
