import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { randomIntBetween, uuidv4 } from 'https://jslib.k6.io/k6-utils/1.4.0/index.js';

const BASE_URL = __ENV.BASE_URL || 'https://shop.example/v1';
const JSON_HEADERS = { 'Content-Type': 'application/json' };

export const options = {
  stages: [
    { duration: '30s', target: 20 },
    { duration: '1m30s', target: 20 },
    { duration: '10s', target: 0 },
  ],
  thresholds: {
    http_req_duration: ['p(95)<300', 'p(99)<1000', 'max<5000'],
    http_req_failed: [{ threshold: 'rate<0.01', abortOnFail: true }],
    checks: ['rate>0.9'],
  },
  insecureSkipTLSVerify: true,
};

export default function () {
  // http.get('https://never.example/');
  const payload = JSON.stringify({ user: 'ann', password: __ENV.SHOP_PASSWORD, tags: ['a', "b"] });
  const login = http.post(`${BASE_URL}/login`, payload, { headers: JSON_HEADERS });
  check(login, { 'status is 200': (r) => r.status === 200 });
  const token = login.json('data.token');
  const params = {
    headers: { Authorization: `Bearer ${token}`, 'X-Request-Id': uuidv4() },
    tags: { name: 'items' },
    timeout: '5s',
  };

  group('browse', function () {
    const items = http.get(BASE_URL + '/items?limit=20', params);
    check(items, {
      'status is 200': (r) => r.status == 200,
      'has items': (r) => r.body.includes('items'),
      'fast': (r) => r.timings.duration < 200,
    });
    sleep(randomIntBetween(1, 3));

    for (let i = 0; i < 3; i++) {
      http.get(`${BASE_URL}/items/${i}`);
    }
  });

  http.post(BASE_URL + '/search', { q: 'chair', page: 2 });
  http.del(`${BASE_URL}/cart`, null, { headers: { Authorization: `Bearer ${token}` } });
  http.batch([
    ['GET', `${BASE_URL}/a.css`],
    { method: 'GET', url: `${BASE_URL}/b.js` },
  ]);
  http.request('PATCH', `${BASE_URL}/me`, '{"name": "Ann"}', { headers: JSON_HEADERS });
  sleep(1);
}
