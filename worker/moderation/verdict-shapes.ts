/**
 * A decision on the wire: our own shape, AWS Rekognition's and OpenAI's. Pure.
 * https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DetectModerationLabels.html
 * https://platform.openai.com/docs/api-reference/moderations/object
 */
import type { CategoryResult } from './policy/evaluate.ts';
import type { Action } from './policy/schema.ts';

/** A name and the version that answered. */
export interface VersionReference {
  readonly name: string;
  readonly version: string;
}

/** One decision: enough to explain later why it was taken, and nothing of the image but its hash. */
export interface Decision {
  readonly id: string;
  /** RFC 3339. */
  readonly decided_at: string;
  readonly verdict: Action;
  /** The category that decided; `error` where the image could not be judged; null where all allow. */
  readonly reason: string | null;
  readonly categories: readonly CategoryResult[];
  readonly policy: VersionReference;
  /** Null where no model was asked. */
  readonly model: VersionReference | null;
  /** The policy's heads, if it has any. */
  readonly heads?: readonly VersionReference[];
  /** Null where there were no bytes. */
  readonly image_sha256: string | null;
  /** Why the image could not be judged. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** AWS Rekognition's `DetectModerationLabels` response. */
export interface RekognitionResponse {
  readonly ModerationLabels: readonly {
    /** 0 to 100. */
    readonly Confidence: number;
    readonly Name: string;
    readonly ParentName: string;
    readonly TaxonomyLevel: number;
  }[];
  readonly ModerationModelVersion: string;
  readonly ContentTypes: readonly never[];
}

/**
 * Categories as labels of the first level, what fed them as labels of the second.
 * @param minConfidence 0 to 100; Rekognition's `MinConfidence`. Null: the categories whose action is not `allow`.
 */
export function toRekognition(decision: Decision, minConfidence: number | null): RekognitionResponse {
  const reported = decision.categories.filter(({ action, score }) =>
    minConfidence === null ? action !== 'allow' : score * 100 >= minConfidence,
  );
  return {
    ModerationLabels: reported.flatMap((category) => [
      { Confidence: category.score * 100, Name: category.name, ParentName: '', TaxonomyLevel: 1 },
      ...category.labels
        .filter(({ score }) => score * 100 >= (minConfidence ?? 0) && score > 0)
        .map(({ label, score }) => ({
          Confidence: score * 100,
          Name: label,
          ParentName: category.name,
          TaxonomyLevel: 2,
        })),
    ]),
    ModerationModelVersion: versionText(decision),
    ContentTypes: [],
  };
}

/** OpenAI's moderation response. */
export interface OpenAiResponse {
  readonly id: string;
  readonly model: string;
  readonly results: readonly {
    readonly flagged: boolean;
    readonly categories: Readonly<Record<string, boolean>>;
    readonly category_scores: Readonly<Record<string, number>>;
    readonly category_applied_input_types: Readonly<Record<string, readonly ['image']>>;
  }[];
}

/** A category is true where its action is not `allow`; `flagged` where the verdict is not. */
export function toOpenAi(decision: Decision): OpenAiResponse {
  const each = <T>(value: (category: CategoryResult) => T): Record<string, T> =>
    Object.fromEntries(decision.categories.map((category) => [category.name, value(category)]));
  return {
    id: `modr-${decision.id}`,
    model: versionText(decision),
    results: [
      {
        flagged: decision.verdict !== 'allow',
        categories: each(({ action }) => action !== 'allow'),
        category_scores: each(({ score }) => score),
        category_applied_input_types: each(() => ['image'] as const),
      },
    ],
  };
}

function versionText({ policy, model }: Decision): string {
  const text = `${policy.name}@${policy.version}`;
  return model === null ? text : `${model.name}@${model.version}+${text}`;
}
