/** Result lines of items that a GPU worker answered. Pure. */

import type { JobTask } from './records.ts';
import type { WorkAnswer } from './work/records.ts';

/** True where an answer is one to the task. */
export function isAnswerTo(task: JobTask, answer: WorkAnswer): boolean {
  return task === 'classify' ? 'predictions' in answer : task === 'embed' && 'embedding' in answer;
}

/** The line of an item; its id and model are the job's, whatever the worker believes. */
export function workedLine(
  index: number,
  id: string | undefined,
  model: { readonly name: string; readonly version: string },
  answer: WorkAnswer,
): string {
  const named = id === undefined ? {} : { id };
  return JSON.stringify({ index, ...named, status: 'succeeded', model, ...answer, engine: 'gpu' });
}
