-- Thousands of rows of every table that grows, in and around the repository p/a (tests/core/test_rows_read.py).
CREATE TEMP TABLE n AS SELECT n, 'sha256:' || encode(sha256(n::text::bytea), 'hex') AS digest FROM generate_series(1, 3000) n;
INSERT INTO project (name) SELECT 'q' || n FROM n;
INSERT INTO account (username) SELECT 'u' || n FROM n;
INSERT INTO robot (name, secret) SELECT 'r' || n, '' FROM n;
INSERT INTO robot (name, project_id, secret) SELECT 'ci', project_id, '' FROM project WHERE name LIKE 'q%';
INSERT INTO account_identity (account_id, issuer, subject, stands_until)
  SELECT account_id, 'issuer', username, now() FROM account WHERE username LIKE 'u%';
INSERT INTO session (session_hash, account_id, token_epoch, expires_at)
  SELECT sha256(username::bytea), account_id, 0, now() FROM account;
INSERT INTO repository (name, project_id) SELECT 'p/r' || n, r.project_id FROM n, repository r WHERE r.name = 'p/a';
INSERT INTO repository (name, project_id) SELECT p.name || '/r', p.project_id FROM n JOIN project p ON p.name = 'q' || n;
INSERT INTO artifact_blob (digest, size, state, keep_until) SELECT digest, 1, 'live', now() FROM n;
INSERT INTO repository_blob (repository_id, project_id, blob_id, keep_until)
  SELECT r.repository_id, r.project_id, b.id, now() FROM n JOIN artifact_blob b USING (digest), repository r WHERE r.name = 'p/a';
INSERT INTO project_blob (project_id, blob_id, size) SELECT project_id, blob_id, 1 FROM repository_blob
  ON CONFLICT DO NOTHING;
INSERT INTO artifact (type, media_type, manifest_media_type, project_id, repository_id, repository_name, digest, size, manifest,
  subject_digest, keep_until) SELECT 'IMAGE', '', '', r.project_id, r.repository_id, r.name, digest, 1, '', digest, now()
  FROM n, repository r WHERE r.name = 'p/a';
INSERT INTO artifact_blob_ref (artifact_id, repository_id, digest, blob_digest, link_id)
  SELECT a.id, a.repository_id, a.digest, a.digest, CASE WHEN a.id % 2 = 0 THEN l.id END FROM n JOIN artifact a USING (digest)
  JOIN artifact_blob b USING (digest) JOIN repository_blob l ON l.blob_id = b.id AND l.repository_id = a.repository_id;
INSERT INTO artifact_reference (artifact_id, repository_id, child_digest, child_id)
  SELECT a.id, a.repository_id, a.digest, CASE WHEN a.id % 2 = 0 THEN a.id END FROM n JOIN artifact a USING (digest);
INSERT INTO artifact_accessory (artifact_id, repository_id, digest, subject_artifact_digest, type, size)
  SELECT a.id, a.repository_id, a.digest, a.digest, '', 1 FROM n JOIN artifact a USING (digest);
INSERT INTO tag (repository_id, artifact_id, name) SELECT a.repository_id, a.id, 't' || n FROM n JOIN artifact a USING (digest);
INSERT INTO tag_history (repository_id, name, username) SELECT repository_id, name, '' FROM tag;
INSERT INTO hold (project_id, repository_id, artifact_id, reason, username) SELECT a.project_id, a.repository_id, a.id, '', ''
  FROM n JOIN artifact a USING (digest);
INSERT INTO upload (id, repository_id, principal, expires_at, staging)
  SELECT gen_random_uuid(), r.repository_id, 'system:0', now() + '1 day', '{}' FROM n, repository r WHERE r.name = 'p/a';
INSERT INTO upload_staging (id, state, abort_after) SELECT n, '{}', now() + '1 day' FROM n;
INSERT INTO event (kind, payload) SELECT 'none', '{}' FROM n;
INSERT INTO access_log (username, operation) SELECT '', '' FROM n;
INSERT INTO gc_review (kind, target, review_after) SELECT 'link', n, now() FROM n;
INSERT INTO gc_delete (digest, generation, next_try) SELECT digest, 0, now() + '1 day' FROM n;
INSERT INTO execution (kind, status) SELECT 'k', 'success' FROM n;
INSERT INTO task (execution_id, kind, status) SELECT id, kind, CASE WHEN id % 2 = 0 THEN status ELSE 'pending' END FROM execution;
INSERT INTO task_log (task_id, line) SELECT id, '' FROM task;
INSERT INTO pgqueuer (priority, status, entrypoint, dedupe_key) SELECT 0, 'queued', 'other', 'other:' || n FROM n;
INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint) SELECT n, 'successful', 0, 'k' FROM n;
INSERT INTO well (project_id, name, name_norm) SELECT p.project_id, 'w' || n, 'w' || n FROM n, project p WHERE p.name = 'p';
INSERT INTO well_slug (project_id, slug, well_id) SELECT project_id, name, id FROM well WHERE name_norm = name;
INSERT INTO well_alias (well_id, alias_norm, alias) SELECT id, 'w1', '' FROM well ON CONFLICT DO NOTHING;
INSERT INTO mnemonic_alias (project_id, mnemonic_norm, family) SELECT p.project_id, 'zz', 'odd' FROM project p WHERE p.name <> 'p';
INSERT INTO unit_alias (project_id, spelling, unit_canonical) SELECT p.project_id, 'GAPI', 'gAPI' FROM project p WHERE p.name <> 'p';
INSERT INTO repository (name, project_id) SELECT 'p/well-1/run-1/c' || n, project_id FROM n, project WHERE name = 'p';
INSERT INTO curve (id, project_id, well_id, frame, frame_norm, frame_slug, mnemonic, mnemonic_norm)
  SELECT r.repository_id, r.project_id, w.id, 'Run 1', 'run1', 'run-1', r.name, r.name FROM repository r, well w
  WHERE r.name LIKE 'p/well-1/run-1/c%' AND w.name = 'Well 1';
UPDATE curve SET latest_version_id = (SELECT min(id) FROM curve_version) WHERE latest_version_id IS NULL;
INSERT INTO artifact (type, media_type, manifest_media_type, artifact_type, project_id, repository_id, repository_name, digest, size,
  manifest, keep_until) SELECT 'CURVE', '', '', 'application/vnd.dataforge.curve.v1', r.project_id, r.repository_id, r.name, digest, 1, '',
  now() FROM n, repository r WHERE r.name = 'p/well-1/run-1/gr';
INSERT INTO curve_version SELECT (jsonb_populate_record(v, jsonb_build_object('id', a.id, 'version', CASE WHEN a.id % 2 = 0 THEN 100 + a.id END,
  'deleted_at', CASE WHEN a.id % 3 = 0 THEN now() END))).* FROM artifact a JOIN curve_version v ON v.id = (SELECT min(id) FROM curve_version)
  JOIN repository r USING (repository_id) WHERE r.name = 'p/well-1/run-1/gr' AND a.manifest = '';
INSERT INTO tag_history (repository_id, name, to_digest, username) SELECT r.repository_id, 'v' || n, digest, '' FROM n, repository r
  WHERE r.name = 'p/well-1/run-1/gr';
INSERT INTO segment (content_id, blob_digest, dtype, width) SELECT decode(md5(digest), 'hex'), digest, '', 1 FROM n;
INSERT INTO lineage (version_id, ref, role, input_digest) SELECT id, '', '', 'd' FROM curve_version;
