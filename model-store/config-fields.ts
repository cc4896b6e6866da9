/**
 * Which fields of a config.json say something about a BiT network, which say nothing, and which are misspelt. Pure, no I/O.
 * Reference: transformers 4.26 to 5.18, `configuration_utils.py`, `models/bit/configuration_bit.py`.
 */

/** Fields of every HF config (versions 4 and 5) that say nothing about a BiT network's numbers. */
const INERT_FIELDS: ReadonlySet<string> = new Set(
  (
    'label2id dtype torch_dtype transformers_version name_or_path return_dict gradient_checkpointing ' +
    'output_hidden_states output_attentions use_cache use_bfloat16 torchscript tf_legacy_loss pruned_heads ' +
    'tie_word_embeddings tie_encoder_decoder tie_last_hidden_states chunk_size_feed_forward is_encoder_decoder ' +
    'is_decoder add_cross_attention cross_attention_hidden_size finetuning_task tokenizer_class task_specific_params ' +
    'prefix bos_token_id eos_token_id pad_token_id sep_token_id decoder_start_token_id max_length min_length do_sample ' +
    'early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p repetition_penalty ' +
    'length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores ' +
    'return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values suppress_tokens ' +
    'begin_suppress_tokens exponential_decay_length_penalty attn_implementation experts_implementation image_size'
  ).split(' '),
);

/** The convolutions that drafts of HF's BiT distinguished, by `conv_layer`; no release reads the field. */
const CONV_LAYERS = ['std_conv', 'std_conv_same'];

/** A misspelt field differs from the one meant in this many letters at most. */
const MAX_MISSPELT_LETTERS = 2;

/** What a field outside BitConfig means. */
export type FieldVerdict =
  | { readonly kind: 'inert' }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'error'; readonly message: string };

/**
 * Judges a field that BitConfig does not have.
 * @param json the whole config; `known` are BitConfig's fields.
 */
export function judgeField(
  name: string,
  json: Readonly<Record<string, unknown>>,
  known: readonly string[],
): FieldVerdict {
  if (INERT_FIELDS.has(name) || name.startsWith('_')) return { kind: 'inert' };
  const value = json[name];
  if (name === 'conv_layer') return judgeConvLayer(value, json.global_padding);
  if (name === 'quantization_config') {
    if (value === null) return { kind: 'inert' };
    return { kind: 'error', message: 'quantized weights are not supported; use the float checkpoint' };
  }
  if (name === 'auto_map') {
    return {
      kind: 'warning',
      message: 'auto_map: names code of its own, which is not run; read as a BiT of transformers',
    };
  }
  const meant = known.find((field) => !(field in json) && isMisspelt(name, field));
  if (meant !== undefined) {
    return {
      kind: 'error',
      message: `is not a field of BitConfig; is ${meant} meant? Remove it if it does not change the network`,
    };
  }
  return { kind: 'warning', message: `${name}: no field of BitConfig; ignored, as transformers ignores it` };
}

/**
 * `conv_layer` is in every config that descends from `google/bit-50` (the script that converted it from timm wrote it), and
 * nothing has ever read it: transformers pads by `global_padding` alone, symmetrically where that is null, and always
 * standardizes weights. `std_conv` is timm's StdConv2d with symmetric padding, `std_conv_same` its StdConv2dSame, which
 * pads as TensorFlow does; `global_padding` came in its place before BiT was released.
 */
function judgeConvLayer(value: unknown, globalPadding: unknown): FieldVerdict {
  if (typeof value !== 'string' || !CONV_LAYERS.includes(value)) {
    const message = `${JSON.stringify(value)} is not supported; supported: ${CONV_LAYERS.join(', ')}`;
    return { kind: 'error', message };
  }
  const isSame = typeof globalPadding === 'string' && globalPadding.toUpperCase() === 'SAME';
  if ((value === 'std_conv_same') === isSame) return { kind: 'inert' };
  return {
    kind: 'warning',
    message:
      `conv_layer: "${value}" does not go with global_padding ${JSON.stringify(globalPadding ?? null)}; as in transformers, ` +
      'global_padding decides',
  };
}

/** Whether `name` is `field` but for a few letters (Levenshtein's distance). */
function isMisspelt(name: string, field: string): boolean {
  if (Math.abs(name.length - field.length) > MAX_MISSPELT_LETTERS) return false;
  let previous = Array.from({ length: field.length + 1 }, (_, i) => i);
  for (let i = 1; i <= name.length; i++) {
    const current = [i];
    for (let j = 1; j <= field.length; j++) {
      const substitution = previous[j - 1]! + (name[i - 1] === field[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[field.length]! <= MAX_MISSPELT_LETTERS;
}
