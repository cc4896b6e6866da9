/** A decoding thread: encoded image -> RGB8 of the network's size, with the edge's own code. */
import { parentPort } from 'node:worker_threads';
import { preprocessToRgb8 } from '../../worker/preprocess/preprocess.ts';
import { toAppError } from '../../worker/problem.ts';
import type { DecodeReply, DecodeRequest } from './decode-protocol.ts';

const port = parentPort;
if (port === null) throw new Error('decode-thread.ts runs as a worker thread only');

port.on('message', async ({ id, bytes, processor, exact, limits }: DecodeRequest) => {
  try {
    const { rgb8, height, width } = await preprocessToRgb8(bytes, processor, { exact, limits });
    const own = new Uint8Array(rgb8);
    const reply: DecodeReply = { id, picture: { rgb8: own, height, width } };
    port.postMessage(reply, [own.buffer]);
  } catch (error) {
    const { code, message } = toAppError(error);
    const reply: DecodeReply = { id, code, message };
    port.postMessage(reply);
  }
});
