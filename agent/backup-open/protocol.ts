// What the runner and the process that decrypts a dump have between them. On stdin comes the key of this one file in
// hexadecimal, never the identity that opens others; stdout is the file that is written.

/** File descriptor of the encrypted file. */
export const SEALED_FD = 3;
/** File descriptor on which it says that it is ready. */
export const READY_FD = 4;
/** Said when everything is loaded: from then on it opens nothing, and is not able to. */
export const READY = 'ready\n';
