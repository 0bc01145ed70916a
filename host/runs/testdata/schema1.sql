-- A run as the first schema kept it. Never changed.
INSERT INTO runs VALUES ('01JD000000000000000000000A', 'first', 1, 9, 'submitted', 'gpu', 'train', 'digits', 'digits-1', 'sagemaker', '0.1.0',
  0, '', 3, NULL, 1700000000000000000, 1700000001000000000, 0, 0,
  '{"cause":"user","by":"user@7","at":"2023-11-14T22:13:21Z"}', '{"values":{"accuracy":0.97}}');
INSERT INTO definitions VALUES ('01JD000000000000000000000A', 'definition', 'sha256:00', '{"team":"ml"}',
  '{"flavor":"sagemaker","version":"0.1.0","scope_id":"aws/1/eu","scope_display":"eu","config":{"role":"train"}}', '{"timeouts":{}}');
INSERT INTO attempts VALUES ('01JD000000000000000000000A', 1, 'abcdefghijklmnopqrstuvwxyz',
  '{"number":1,"key":"abcdefghijklmnopqrstuvwxyz","request_digest":"sha256:11","submitting_at":"2023-11-14T22:13:20Z","submitted_at":"2023-11-14T22:13:21Z","handle":"aGFuZGxl","handle_version":1}');
INSERT INTO requests VALUES ('01JD000000000000000000000A', 1, 'request', 'prepared');
INSERT INTO events VALUES ('01JD000000000000000000000A', 1, 1700000000000000000, 'user@7', 'created', '', NULL);
