/** One picture: itself, its labels by one version or two, where the time went, and what the network saw. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Bars } from '../../components/bars.tsx';
import { Icon } from '../../components/icons.tsx';
import { ProblemNote } from '../../components/problem.tsx';
import { type NetworkInput, readNetworkInput } from '../../decoding/network-input.ts';
import { formatChange, splitLabel } from '../../format.ts';
import type { Answer, Picture, Question } from './answers.ts';
import { compareAnswers } from './comparison.ts';
import { HeatMap, HeatMapControl, type HeatMapState, useHeatMap } from './heat-map.tsx';
import { DecoderFacts, NetworkPicture } from './network-view.tsx';
import { Timings } from './timings.tsx';

/** A question and what is known of its answer. */
export interface Asked {
  readonly question: Question;
  readonly answer: Answer;
  again(): void;
}

interface PictureCardProps {
  readonly picture: Picture;
  readonly first: Asked;
  /** Null where nothing is compared. */
  readonly second: Asked | null;
  /** BitImageProcessor's options of the first question's model; null until they are known. */
  readonly preprocessor: object | null;
  onRemove(): void;
}

/** The card. */
export function PictureCard({ picture, first, second, preprocessor, onRemove }: PictureCardProps) {
  const input = useNetworkInput(picture, preprocessor, first.question.exact);
  const heatMap = useHeatMap(picture, first.question);
  return (
    <article class="card picture-card" aria-label={picture.name}>
      <header>
        <h2 title={picture.name}>{picture.name}</h2>
        <button type="button" class="plain" onClick={onRemove} aria-label={`Remove ${picture.name}`}>
          <Icon name="close" />
        </button>
      </header>
      <div class={second === null ? 'picture-grid' : 'picture-grid two'}>
        <div class="preview">
          <Preview picture={picture} input={input.value} heatMap={heatMap} />
          <HeatMapControl state={heatMap} answer={first.answer} />
        </div>
        <Labels asked={first} other={null} />
        {second !== null && <Labels asked={second} other={first.answer} />}
        <div class="picture-facts">
          {first.answer.state === 'done' ? <Timings answer={first.answer} /> : <div class="timings" />}
          {input.value !== null && (
            <div class="network-facts">
              <NetworkPicture input={input.value} />
              <DecoderFacts input={input.value} bytes={picture.blob.size} />
            </div>
          )}
          {input.error !== null && <p class="quiet">No preview of the network’s input: {input.error}</p>}
        </div>
      </div>
      {second !== null && <ComparisonLine first={first.answer} second={second.answer} />}
    </article>
  );
}

interface PreviewProps {
  readonly picture: Picture;
  readonly input: NetworkInput | null;
  readonly heatMap: HeatMapState;
}

/** The upright picture, with what the crop leaves out in shade. */
function Preview({ picture, input, heatMap: { activation } }: PreviewProps) {
  const crop = input?.crop;
  return (
    <div class="preview-frame" style={input === null ? {} : { '--ratio': input.info.width / input.info.height }}>
      <img src={picture.url} alt={picture.name} />
      {crop !== undefined && (crop.width < 0.999 || crop.height < 0.999) && (
        <span
          class="crop"
          aria-hidden="true"
          style={{
            left: `${crop.left * 100}%`,
            top: `${crop.top * 100}%`,
            width: `${crop.width * 100}%`,
            height: `${crop.height * 100}%`,
          }}
        />
      )}
      {crop !== undefined && activation !== null && <HeatMap activation={activation} crop={crop} />}
    </div>
  );
}

interface LabelsProps {
  readonly asked: Asked;
  /** Scores are shown against this answer's. */
  readonly other: Answer | null;
}

function Labels({ asked: { question, answer, again }, other }: LabelsProps) {
  const frame = (content: ComponentChildren) => (
    <div class="labels">
      <h3>{answer.state === 'done' ? nameOf(answer) : question.model}</h3>
      {content}
    </div>
  );
  if (answer.state === 'failed') return frame(<ProblemNote error={answer.error} retry={again} />);
  if (answer.state === 'waiting') {
    return frame(
      <div class="skeleton" role="status" aria-label="Asking">
        {Array.from({ length: question.topK }, (_, index) => (
          <span key={index} />
        ))}
      </div>,
    );
  }
  const scores = new Map(
    other?.state === 'done' ? other.classification.predictions.map(({ label, score }) => [label, score]) : [],
  );
  const bars = answer.classification.predictions.map(({ label, score }) => {
    const before = scores.get(label);
    return { label, score, change: before === undefined ? null : score - before };
  });
  return frame(<Bars bars={bars} />);
}

/** The version that answered, whatever alias was asked. */
function nameOf({ classification: { model } }: Extract<Answer, { state: 'done' }>): string {
  return `${model.name}@${model.version}`;
}

function ComparisonLine({ first, second }: { readonly first: Answer; readonly second: Answer }) {
  if (first.state !== 'done' || second.state !== 'done') return null;
  const { sameBest, largest } = compareAnswers(first.classification.predictions, second.classification.predictions);
  return (
    <p class="comparison">
      <span class={sameBest ? 'badge good' : 'badge warn'}>
        {sameBest ? 'Same best label' : 'Different best label'}
      </span>
      {largest !== null && (
        <span class="quiet">
          Largest change {formatChange(largest.change)} points, {splitLabel(largest.label).first}
        </span>
      )}
    </p>
  );
}

interface NetworkInputState {
  readonly value: NetworkInput | null;
  readonly error: string | null;
}

function useNetworkInput(picture: Picture, preprocessor: object | null, exact: boolean): NetworkInputState {
  const [state, setState] = useState<NetworkInputState>({ value: null, error: null });
  useEffect(() => {
    if (preprocessor === null) return;
    let current = true;
    readNetworkInput(picture.blob, preprocessor, exact).then(
      (value) => {
        if (current) setState({ value, error: null });
      },
      (error: unknown) => {
        if (current) setState({ value: null, error: error instanceof Error ? error.message : String(error) });
      },
    );
    return () => {
      current = false;
    };
  }, [picture, preprocessor, exact]);
  return state;
}
