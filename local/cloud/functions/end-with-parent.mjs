// Loaded before a function: it ends when the stack that started it is gone, however that ended.
process.once('disconnect', () => process.exit(1));
// Listening must not keep it alive, nor be seen by the function.
process.channel?.unref();
