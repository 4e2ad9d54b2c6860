import http from "k6/http";
import { sleep } from "k6";

export let options = {
  discardResponseBodies: true,
  scenarios: {
    browse: {
      executor: "constant-vus",
      exec: "browse",
      vus: 10,
      duration: "45s",
    },
    buy: {
      executor: "constant-arrival-rate",
      exec: "buy",
      rate: 120,
      timeUnit: "1m",
      duration: "2m",
      preAllocatedVUs: 5,
      maxVUs: 50,
      startTime: "10s",
    },
    once: { executor: "per-vu-iterations", vus: 2, iterations: 3, exec: "browse" },
  },
  thresholds: { "http_req_duration{name:home}": ["avg<200", "p(90) <= 400"], http_reqs: ["count>2"] },
};

const host = "http://shop.example";

export function browse() {
  http.get(`${host}/`, { tags: { name: "home" } });
  sleep(0.5);
}

export function buy() {
  const res = http.post(host + "/buy", JSON.stringify({ item: 1 }), { headers: { "Content-Type": "application/json" } });
  if (res.status !== 200) {
    http.get(host + "/" + Math.random());
  }
}
