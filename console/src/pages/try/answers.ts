/** Asks for the labels of pictures: each picture and each way of asking once, two requests at a time. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Classification } from '../../../../client/index.ts';
import { observedClient } from '../../session.tsx';

/** A browser opens six connections; the others are for the rest of the page. */
const MAX_IN_FLIGHT = 2;

/** A picture that a person gave. */
export interface Picture {
  readonly id: number;
  readonly name: string;
  readonly blob: Blob;
  /** `blob:`, for an image element. */
  readonly url: string;
}

/** How labels are asked for. */
export interface Question {
  readonly model: string;
  readonly topK: number;
  /** Null: what the model was trained for. */
  readonly functionToApply: 'softmax' | 'sigmoid' | null;
  readonly exact: boolean;
}

/** What became of a request. */
export type Answer =
  | { readonly state: 'waiting' }
  | { readonly state: 'failed'; readonly error: unknown }
  | {
      readonly state: 'done';
      readonly classification: Classification;
      /** From the first byte sent to the answer's headers, seen from here. */
      readonly elapsedMs: number;
      readonly fromCache: boolean;
    };

/** Names an answer. */
export function answerKey(picture: Picture, question: Question): string {
  return `${picture.id} ${JSON.stringify(question)}`;
}

/** Answers so far, and a way to ask a failed one again. */
export interface Answers {
  readonly answers: ReadonlyMap<string, Answer>;
  again(picture: Picture, question: Question): void;
}

/** Asks every question about every picture. */
export function useAnswers(pictures: readonly Picture[], questions: readonly Question[]): Answers {
  const [answers, setAnswers] = useState<ReadonlyMap<string, Answer>>(new Map());
  const queue = useRef<{ readonly picture: Picture; readonly question: Question }[]>([]);
  const asked = useRef(new Set<string>());
  const inFlight = useRef(0);

  const record = (key: string, answer: Answer): void => setAnswers((old) => new Map(old).set(key, answer));
  const pump = (): void => {
    while (inFlight.current < MAX_IN_FLIGHT) {
      const next = queue.current.shift();
      if (next === undefined) return;
      inFlight.current++;
      const key = answerKey(next.picture, next.question);
      ask(next.picture, next.question)
        .then(
          (answer) => record(key, answer),
          (error: unknown) => record(key, { state: 'failed', error }),
        )
        .finally(() => {
          inFlight.current--;
          pump();
        });
    }
  };
  const enqueue = (picture: Picture, question: Question): void => {
    record(answerKey(picture, question), { state: 'waiting' });
    queue.current.push({ picture, question });
  };

  useEffect(() => {
    for (const picture of pictures) {
      for (const question of questions) {
        const key = answerKey(picture, question);
        if (asked.current.has(key)) continue;
        asked.current.add(key);
        enqueue(picture, question);
      }
    }
    pump();
  });

  return {
    answers,
    again(picture, question) {
      enqueue(picture, question);
      pump();
    },
  };
}

async function ask(picture: Picture, question: Question): Promise<Answer> {
  let elapsedMs = 0;
  let fromCache = false;
  const client = observedClient((response, ms) => {
    elapsedMs = ms;
    fromCache = response.headers.get('x-cache') === 'hit';
  });
  const { model, topK, functionToApply, exact } = question;
  const options = {
    model,
    top_k: topK,
    ...(functionToApply !== null && { function_to_apply: functionToApply }),
    ...(exact && { exact }),
  };
  const classification = await client.classify(picture.blob, options);
  return { state: 'done', classification, elapsedMs, fromCache };
}
