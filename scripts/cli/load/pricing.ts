/**
 * What Workers Paid asks for requests and processor time, in US dollars.
 * Source: https://developers.cloudflare.com/workers/platform/pricing/ (2026-11); pure arithmetic.
 */

/** A month's base price, and what it includes. */
const BASE_USD = 5;
const INCLUDED_REQUESTS = 10_000_000;
const INCLUDED_CPU_MS = 30_000_000;

const USD_PER_MILLION_REQUESTS = 0.3;
const USD_PER_MILLION_CPU_MS = 0.02;

/** Days of a month, for rates. */
const SECONDS_PER_MONTH = 30 * 24 * 3600;

/** What requests of one kind cost. */
export interface CostEstimate {
  /** Beyond what a month includes. */
  readonly usd_per_million_requests: number;
  /** With this rate all month long, the base price and what it includes counted. */
  readonly usd_per_month: number;
}

/** @param cpuMs processor time of a request. @param rps requests a second. */
export function estimateCost(cpuMs: number, rps: number): CostEstimate {
  const requests = rps * SECONDS_PER_MONTH;
  const billedRequests = Math.max(0, requests - INCLUDED_REQUESTS);
  const billedCpuMs = Math.max(0, requests * cpuMs - INCLUDED_CPU_MS);
  const month = BASE_USD + (billedRequests * USD_PER_MILLION_REQUESTS + billedCpuMs * USD_PER_MILLION_CPU_MS) / 1e6;
  return {
    usd_per_million_requests: round(USD_PER_MILLION_REQUESTS + cpuMs * USD_PER_MILLION_CPU_MS),
    usd_per_month: round(month),
  };
}

function round(usd: number): number {
  return Math.round(usd * 100) / 100;
}
