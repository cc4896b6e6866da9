/** Try: pictures in, labels out, and everything about how they came to be. */
import { useRef, useState } from 'preact/hooks';
import type { ModelList, Preprocessor } from '../../../../client/index.ts';
import { CallTabs } from '../../components/call-tabs.tsx';
import type { Call } from '../../components/calls.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { formatPercent } from '../../format.ts';
import { useLoading } from '../../loading.ts';
import { useReleasedUrls } from '../../object-urls.ts';
import { useSession } from '../../session.tsx';
import { type Answer, answerKey, type Picture, type Question, useAnswers } from './answers.ts';
import { compareAnswers, summarize } from './comparison.ts';
import { type Choice, Options } from './options.tsx';
import { PictureCard } from './picture-card.tsx';
import { type NewPicture, PictureInput } from './picture-input.tsx';

const WAITING: Answer = { state: 'waiting' };

/** The page, once the models are known. */
export function TryPage() {
  const { client } = useSession();
  const models = useLoading(() => client.listModels(), [client]);
  if (models.value !== null) return <Bench models={models.value} />;
  if (models.error !== null) return <ProblemNote error={models.error} retry={models.reload} />;
  return <p class="quiet">Reading the list of models…</p>;
}

function Bench({ models }: { readonly models: ModelList }) {
  const { client, signedIn } = useSession();
  const [pictures, setPictures] = useState<readonly Picture[]>([]);
  const [choice, setChoice] = useState<Choice>(() => firstChoice(models));
  const lastId = useRef(0);
  useReleasedUrls(pictures.map(({ url }) => url));
  const { other, ...question } = choice;
  const second: Question | null = other === null ? null : { ...question, model: other };
  const { answers, again } = useAnswers(pictures, second === null ? [question] : [question, second]);
  const preprocessor = useLoading<Preprocessor>(() => client.getPreprocessor(choice.model), [client, choice.model]);

  const add = (added: readonly NewPicture[]): void => {
    const made = added.map(({ name, blob }) => {
      lastId.current++;
      return { id: lastId.current, name, blob, url: URL.createObjectURL(blob) };
    });
    setPictures((old) => [...made, ...old]);
  };
  const remove = (picture: Picture): void => setPictures((old) => old.filter((each) => each !== picture));
  const askedOf = (picture: Picture, asked: Question) => ({
    question: asked,
    answer: answers.get(answerKey(picture, asked)) ?? WAITING,
    again: () => again(picture, asked),
  });
  const call: Call = {
    ...question,
    origin: location.origin,
    fileName: pictures[0]?.name ?? 'photo.jpg',
    needsKey: signedIn,
  };

  return (
    <>
      <div class="page-head">
        <h1>Try</h1>
        <p class="quiet">What does BiT see? Pictures go to this deployment and nowhere else.</p>
      </div>
      {models.models.length === 0 ? (
        <p class="empty">
          No model is published yet. <code>bit-edge publish</code> does it.
        </p>
      ) : (
        <>
          <Options models={models} choice={choice} onChange={setChoice} />
          <PictureInput compact={pictures.length > 0} onPictures={add} />
        </>
      )}
      {second !== null && <AgreementLine pictures={pictures} first={question} second={second} answers={answers} />}
      <div class="cards" aria-live="polite" aria-relevant="additions">
        {pictures.map((picture) => (
          <PictureCard
            key={picture.id}
            picture={picture}
            first={askedOf(picture, question)}
            second={second === null ? null : askedOf(picture, second)}
            preprocessor={preprocessor.value}
            onRemove={() => remove(picture)}
          />
        ))}
      </div>
      <CallTabs call={call} />
    </>
  );
}

function firstChoice({ default: { name, version } }: ModelList): Choice {
  return { model: `${name}@${version}`, other: null, topK: 5, functionToApply: null, exact: false };
}

interface AgreementLineProps {
  readonly pictures: readonly Picture[];
  readonly first: Question;
  readonly second: Question;
  readonly answers: ReadonlyMap<string, Answer>;
}

function AgreementLine({ pictures, first, second, answers }: AgreementLineProps) {
  const differences = pictures.flatMap((picture) => {
    const one = answers.get(answerKey(picture, first));
    const two = answers.get(answerKey(picture, second));
    if (one?.state !== 'done' || two?.state !== 'done') return [];
    return [compareAnswers(one.classification.predictions, two.classification.predictions)];
  });
  const agreement = summarize(differences);
  if (agreement === null) return null;
  const { sameBest, pictures: count, meanLargest } = agreement;
  return (
    <p class="agreement" role="status">
      Same best label on <strong>{sameBest}</strong> of {count} {count === 1 ? 'picture' : 'pictures'}; largest change
      of a score {formatPercent(meanLargest)} on average.
    </p>
  );
}
