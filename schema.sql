-- The whole database of DataForge Registry, in reading order: who, what is stored, what it means, what happens to it.
-- A project_id beside a repository_id is the repository's own, which its foreign key guards: a second one would lock the
-- project's row once more for each row that a push adds.
-- PostgreSQL 15 or newer, no extension. COMMENT ON is the data dictionary. Names follow Harbor where Harbor has the thing.
-- Text that is compared or paged byte by byte is COLLATE "C". Times are timestamptz and come from this database's clock.

-- 1. Tenants and people ------------------------------------------------------------------------------------------------

CREATE TABLE account (
    account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text COLLATE "C" NOT NULL,
    email text,
    realname text NOT NULL DEFAULT '',
    comment text NOT NULL DEFAULT '',
    password text,
    password_version int NOT NULL DEFAULT 0,
    cli_secret text,
    token_epoch int NOT NULL DEFAULT 0,
    admin boolean NOT NULL DEFAULT false,
    admin_in_auth boolean NOT NULL DEFAULT false,
    disabled boolean NOT NULL DEFAULT false,
    deleted boolean NOT NULL DEFAULT false,
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX account_username ON account (lower(username)) WHERE NOT deleted;
COMMENT ON TABLE account IS 'A person. Rights are asked of this row on every request, never of a token';
COMMENT ON COLUMN account.password IS 'argon2id, in its PHC string; null where the account signs in elsewhere';
COMMENT ON COLUMN account.password_version IS 'Grows with each change of the password: cached verifications of an older one stop at once';
COMMENT ON COLUMN account.cli_secret IS 'SHA-256 of the one secret that passes for the password with Basic: made here, 256 random bits';
COMMENT ON COLUMN account.admin_in_auth IS 'Administrator as well, as long as the OIDC provider puts him in the group of administrators';
COMMENT ON COLUMN account.token_epoch IS 'Grows when all tokens of the account are revoked';

CREATE TABLE user_group (
    group_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    group_type smallint NOT NULL DEFAULT 3,
    creation_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE user_group IS 'A named set of accounts; group_type as in Harbor: 1 LDAP, 2 HTTP, 3 OIDC or local';

CREATE TABLE user_group_member (
    group_id bigint NOT NULL REFERENCES user_group ON DELETE CASCADE,
    account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    in_auth boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, group_id)
);
CREATE INDEX user_group_member_group ON user_group_member (group_id);
COMMENT ON TABLE user_group_member IS 'Who is in a group';
COMMENT ON COLUMN user_group_member.in_auth IS 'The OIDC provider says so: gone when it no longer does';

CREATE TABLE account_identity (
    account_id bigint PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    issuer text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    refresh_token bytea,
    asked_at timestamptz NOT NULL DEFAULT now(),
    stands_until timestamptz NOT NULL,
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (issuer, subject)
);
COMMENT ON TABLE account_identity IS 'Whom an OIDC provider calls this account. Issuer and subject alone find it: names and addresses can change hands';
COMMENT ON COLUMN account_identity.refresh_token IS 'The provider''s, sealed with auth.secretkey; null where it gave none, or took it back';
COMMENT ON COLUMN account_identity.asked_at IS 'When the provider was last asked whether this person is still one of its own; -infinity: it said no';
COMMENT ON COLUMN account_identity.stands_until IS 'End of its last ID token: until then it need not answer again';

CREATE TABLE used_once (
    hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_once_expires ON used_once (expires_at);
COMMENT ON TABLE used_once IS 'SHA-256 of what is good for one time alone, states of logins and tokens of other issuers, kept for as long as it could come again';

CREATE TABLE project (
    project_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint REFERENCES account,
    owner_name text NOT NULL DEFAULT '',
    name text COLLATE "C" NOT NULL,
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    deleted boolean NOT NULL DEFAULT false,
    metadata jsonb NOT NULL DEFAULT '{}',
    public boolean GENERATED ALWAYS AS (coalesce(metadata ->> 'public', 'false') = 'true') STORED,
    sparse boolean GENERATED ALWAYS AS (coalesce(metadata ->> 'sparse', 'false') = 'true') STORED,
    storage_limit bigint NOT NULL DEFAULT -1,
    storage_used bigint NOT NULL DEFAULT 0 CHECK (storage_used >= 0),
    storage_reserved bigint NOT NULL DEFAULT 0 CHECK (storage_reserved >= 0),
    artifact_limit bigint NOT NULL DEFAULT -1,
    artifact_count bigint NOT NULL DEFAULT 0 CHECK (artifact_count >= 0),
    quota_warning smallint NOT NULL DEFAULT 90 CHECK (quota_warning BETWEEN 0 AND 100)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX project_name ON project (name) WHERE NOT deleted;
COMMENT ON TABLE project IS 'A tenant: the first segment of a repository name. A deleted project''s name can be made again, with new members';
COMMENT ON COLUMN project.metadata IS 'Harbor''s metadata map, values as text: public, sparse (manifests may name absent blobs), ...';
COMMENT ON COLUMN project.storage_limit IS 'Bytes; -1 is unlimited. Checked and charged by one atomic UPDATE in the push transaction';
COMMENT ON COLUMN project.storage_used IS 'Blobs once each (project_blob) and manifests per artifact row';
COMMENT ON COLUMN project.storage_reserved IS 'Sum of project_reservation: bytes on their way that were promised room';
COMMENT ON COLUMN project.artifact_limit IS 'Artifacts that are charged here; -1 is unlimited. Counted in artifact_count';
COMMENT ON COLUMN project.quota_warning IS 'Per cent of a limit from which pushes are warned, with one event when it is passed; 0: never';

CREATE TABLE project_member (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES project ON DELETE CASCADE,
    entity_id bigint NOT NULL,
    entity_type "char" NOT NULL CHECK (entity_type IN ('u', 'g')),
    role_id smallint NOT NULL CHECK (role_id BETWEEN 1 AND 5),
    creation_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, entity_type, entity_id)
);
CREATE INDEX project_member_entity ON project_member (entity_type, entity_id);
COMMENT ON TABLE project_member IS 'entity_type u: account, g: user_group. role_id: 1 project admin, 2 developer, 3 guest, 4 maintainer, 5 limited guest';

CREATE TABLE robot (
    robot_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint REFERENCES project ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    description text NOT NULL DEFAULT '',
    secret text NOT NULL,
    permissions jsonb NOT NULL DEFAULT '[]',
    duration int NOT NULL DEFAULT -1,
    token_epoch int NOT NULL DEFAULT 0,
    disabled boolean NOT NULL DEFAULT false,
    expires_at timestamptz,
    last_used timestamptz,
    creator text NOT NULL DEFAULT 'system:0',
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (name, project_id)
);
CREATE INDEX robot_project ON robot (project_id);
COMMENT ON TABLE robot IS 'A machine account; project_id null: of the whole system. It signs in as robot$name or robot$project+name';
COMMENT ON COLUMN robot.secret IS 'sha256:<hex> of one made here (256 random bits), or argon2id in its PHC string of one that was chosen';
COMMENT ON COLUMN robot.permissions IS 'Grants: [{kind, namespace, project_id, access: [{resource, action}]}]. project_id binds one to the project that had the name then';
COMMENT ON COLUMN robot.duration IS 'Days from creation to expires_at; -1: it never expires';
COMMENT ON COLUMN robot.creator IS 'Who made it: account:12, robot:3, system:0';

CREATE TABLE robot_trust (
    trust_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    robot_id bigint NOT NULL REFERENCES robot ON DELETE CASCADE,
    issuer text COLLATE "C" NOT NULL,
    audience text COLLATE "C" NOT NULL,
    conditions jsonb NOT NULL,
    creator text NOT NULL,
    creation_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX robot_trust_robot ON robot_trust (robot_id);
CREATE INDEX robot_trust_issuer ON robot_trust (issuer, audience);
COMMENT ON TABLE robot_trust IS 'Whose tokens are taken for a robot''s secret: of this issuer, for this audience, where all conditions hold';
COMMENT ON COLUMN robot_trust.conditions IS '[{claim, equals} or {claim, matches, regex}]: a claim''s text, or one of its texts; regex is what the pattern in matches means to PostgreSQL';

CREATE TABLE signing_key (
    kid text COLLATE "C" PRIMARY KEY,
    algorithm text NOT NULL,
    state text NOT NULL CHECK (state IN ('next', 'active', 'retired')),
    public_key jsonb NOT NULL,
    private_key bytea NOT NULL,
    creation_time timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    retired_at timestamptz
);
CREATE UNIQUE INDEX signing_key_active ON signing_key (state) WHERE state = 'active';
COMMENT ON TABLE signing_key IS 'Keys of the token service. kid is the JWK thumbprint (RFC 7638); private_key is sealed with auth.secretkey';

CREATE TABLE refresh_token (
    token_hash bytea PRIMARY KEY,
    account_id bigint REFERENCES account ON DELETE CASCADE,
    robot_id bigint REFERENCES robot ON DELETE CASCADE,
    token_epoch int NOT NULL,
    service text NOT NULL,
    client_id text NOT NULL DEFAULT '',
    creation_time timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX refresh_token_expires ON refresh_token (expires_at);
COMMENT ON TABLE refresh_token IS 'SHA-256 of each refresh token given out; not rotated on use, since clients use them again';

CREATE TABLE session (
    session_hash bytea PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    token_epoch int NOT NULL,
    creation_time timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_expires ON session (expires_at);
COMMENT ON TABLE session IS 'A browser''s login: SHA-256 of its cookie';

CREATE TABLE login_failure (
    subject text COLLATE "C" PRIMARY KEY,
    failures int NOT NULL,
    last_failure timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL
);
COMMENT ON TABLE login_failure IS 'Brakes against guessing: one row per name (a keyed hash) and per address that failed lately';

CREATE TABLE node (
    node_id uuid PRIMARY KEY,
    host text NOT NULL,
    schema int NOT NULL,
    serves boolean NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE node IS 'The processes that run now, a row each, touched every few seconds: rate limits are divided by the number of those that serve. host is host name and process id';
COMMENT ON COLUMN node.schema IS 'The newest migration that its code knows: one that is not compatible with it waits';
COMMENT ON COLUMN node.serves IS 'Whether it answers requests; else a dfr worker';

-- 2. Bytes: blobs, who may serve them, who pays for them ---------------------------------------------------------------

CREATE TABLE repository (
    repository_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    project_id bigint NOT NULL REFERENCES project,
    description text NOT NULL DEFAULT '',
    pull_count bigint NOT NULL DEFAULT 0,
    star_count bigint NOT NULL DEFAULT 0,
    last_version int NOT NULL DEFAULT 0,
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    UNIQUE (project_id, name)
) WITH (fillfactor = 70);
CREATE INDEX repository_name ON repository (name);
COMMENT ON COLUMN repository.deleted_at IS 'Deleted with all its artifacts: absent for everybody until the next push. The row stays, so that no version number is given again';
COMMENT ON COLUMN repository.last_version IS 'The highest N of a tag vN ever made here: what `version=next` counts from';
COMMENT ON TABLE repository IS 'A named collection of artifacts. name is the full name, project included; the first push makes the row';

CREATE TABLE artifact_blob (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest text COLLATE "C" NOT NULL UNIQUE,
    size bigint NOT NULL CHECK (size >= 0),
    content_type text NOT NULL DEFAULT 'application/octet-stream',
    state text NOT NULL CHECK (state IN ('pending', 'live', 'condemned', 'gone', 'missing')),
    generation int NOT NULL DEFAULT 0,
    key text COLLATE "C",
    content bytea,
    keep_until timestamptz NOT NULL,
    creation_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX artifact_blob_sweep ON artifact_blob (keep_until) WHERE state IN ('pending', 'condemned', 'gone', 'missing');
CREATE INDEX artifact_blob_key ON artifact_blob (key) WHERE key IS NOT NULL;
CREATE INDEX artifact_blob_inline ON artifact_blob (id) WHERE content IS NOT NULL;
ALTER TABLE artifact_blob ALTER COLUMN content SET STORAGE EXTERNAL;
COMMENT ON TABLE artifact_blob IS 'One row per content ever stored. A live row never lacks its bytes: in content while small and fresh, else at its key';
COMMENT ON COLUMN artifact_blob.state IS 'pending: claimed, bytes on their way; live; condemned: unlinked, object untouched until keep_until; gone: a tombstone that remembers its generation; missing: bytes found lost';
COMMENT ON COLUMN artifact_blob.generation IS 'Grows each time the content comes again after it went, so that a late delete cannot meet a new object';
COMMENT ON COLUMN artifact_blob.key IS 'Null where it follows from digest and generation; stored only for adopted trees';
COMMENT ON COLUMN artifact_blob.content IS 'Bytes of a small blob until the mover has put them into the store';
COMMENT ON COLUMN artifact_blob.keep_until IS 'Lease (pending, live), end of undo (condemned), end of tombstone (gone)';

CREATE TABLE repository_blob (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id bigint NOT NULL REFERENCES repository,
    project_id bigint NOT NULL,
    blob_id bigint NOT NULL REFERENCES artifact_blob,
    hidden boolean NOT NULL DEFAULT false,
    keep_until timestamptz NOT NULL,
    UNIQUE (repository_id, blob_id)
);
CREATE INDEX repository_blob_blob ON repository_blob (blob_id, project_id);
COMMENT ON TABLE repository_blob IS 'The right to be served from a repository, with the lease that the last positive answer promised';
COMMENT ON COLUMN repository_blob.hidden IS 'Deleted through the API: absent for everybody until pushed or mounted again, dropped by gc';

CREATE TABLE project_blob (
    project_id bigint NOT NULL REFERENCES project,
    blob_id bigint NOT NULL REFERENCES artifact_blob,
    size bigint NOT NULL,
    PRIMARY KEY (project_id, blob_id)
);
CREATE INDEX project_blob_blob ON project_blob (blob_id);
COMMENT ON TABLE project_blob IS 'The charge: a blob counts once in a project, however many repositories link it';

CREATE TABLE project_reservation (
    project_id bigint NOT NULL REFERENCES project ON DELETE CASCADE,
    digest text COLLATE "C" NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    until timestamptz NOT NULL,
    PRIMARY KEY (project_id, digest)
);
COMMENT ON TABLE project_reservation IS 'Room promised to a blob before its body is read, once however many bring it; its charge consumes the row. Only projects with a limit have any';
COMMENT ON COLUMN project_reservation.until IS 'Then the promise is over, whoever made it: the next charge of the project takes the room back';

CREATE TABLE upload (
    id uuid PRIMARY KEY,
    repository_id bigint NOT NULL REFERENCES repository ON DELETE CASCADE,
    principal text COLLATE "C" NOT NULL,
    algorithm text NOT NULL DEFAULT 'sha256',
    "offset" bigint NOT NULL DEFAULT 0 CHECK ("offset" >= 0),
    hash_state bytea,
    staging jsonb,
    lease uuid,
    leased_at timestamptz,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done')),
    digest text COLLATE "C",
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX upload_expires ON upload (expires_at);
COMMENT ON TABLE upload IS 'An unfinished blob. Any server can take the next request: offset, hash and staging are all here';
COMMENT ON COLUMN upload.hash_state IS 'Saved state of the hash over the first offset bytes (core/hashing.py); null: read again at the end';
COMMENT ON COLUMN upload.staging IS 'The driver''s Staging: {id, size, state}';
COMMENT ON COLUMN upload.lease IS 'The request that writes now. One that is older than upload.lease is taken over, with a fork of the staging';

CREATE TABLE upload_staging (
    id text COLLATE "C" PRIMARY KEY,
    state jsonb NOT NULL,
    abort_after timestamptz NOT NULL
);
CREATE INDEX upload_staging_abort ON upload_staging (abort_after);
COMMENT ON TABLE upload_staging IS 'Stagings to abort: left by take-overs, cancels, reaped and finished uploads';

-- 3. Artifacts, tags and what they refer to ----------------------------------------------------------------------------

CREATE TABLE artifact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    media_type text NOT NULL,
    manifest_media_type text NOT NULL,
    artifact_type text,
    project_id bigint NOT NULL,
    repository_id bigint NOT NULL REFERENCES repository,
    repository_name text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    size bigint NOT NULL,
    manifest bytea NOT NULL,
    subject_digest text COLLATE "C",
    push_time timestamptz NOT NULL DEFAULT now(),
    pull_time timestamptz,
    pushed_by text NOT NULL DEFAULT '',
    extra_attrs jsonb NOT NULL DEFAULT '{}',
    annotations jsonb NOT NULL DEFAULT '{}',
    charged boolean NOT NULL DEFAULT true,
    keep_until timestamptz NOT NULL,
    deleted_at timestamptz,
    UNIQUE (repository_id, digest)
);
CREATE INDEX artifact_subject ON artifact (repository_id, subject_digest, digest) WHERE subject_digest IS NOT NULL;
CREATE INDEX artifact_project ON artifact (project_id, push_time);
CREATE INDEX artifact_deleted ON artifact (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX artifact_digest ON artifact (digest);
COMMENT ON TABLE artifact IS 'A manifest as pushed. The row holds its bytes and is the truth of a pull';
COMMENT ON COLUMN artifact.type IS 'IMAGE, CHART, CNAB, OPA, CURVE, WELL, ORIGINAL, SIGNATURE ..., else the word of the type itself';
COMMENT ON COLUMN artifact.media_type IS 'artifactType, else the media type of the config, as Harbor has it';
COMMENT ON COLUMN artifact.size IS 'Bytes of the manifest and its blobs; an index adds its children';
COMMENT ON COLUMN artifact.charged IS 'False for a copy made for an index of the same project: its bytes are charged where it was pushed';
COMMENT ON COLUMN artifact.deleted_at IS 'Soft deletion: absent for everybody, references and charge stay until the undo window ends; a push of the same bytes brings it back';

CREATE TABLE artifact_blob_ref (
    artifact_id bigint NOT NULL REFERENCES artifact,
    repository_id bigint NOT NULL,
    digest text COLLATE "C" NOT NULL,
    blob_digest text COLLATE "C" NOT NULL,
    link_id bigint REFERENCES repository_blob ON DELETE RESTRICT,
    PRIMARY KEY (blob_digest, artifact_id)  -- the widest index of the largest table: it answers by blob too
);
CREATE INDEX artifact_blob_ref_artifact ON artifact_blob_ref (artifact_id);
CREATE INDEX artifact_blob_ref_link ON artifact_blob_ref (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX artifact_blob_ref_waiting ON artifact_blob_ref (repository_id, blob_digest) WHERE link_id IS NULL;
COMMENT ON TABLE artifact_blob_ref IS 'Which blobs a manifest names. link_id is null while the blob is absent (sparse, foreign); the link''s maker binds the waiting rows, and gc looks for waiting rows too before it drops a link';

CREATE TABLE artifact_reference (
    artifact_id bigint NOT NULL REFERENCES artifact,
    repository_id bigint NOT NULL,
    child_digest text COLLATE "C" NOT NULL,
    child_id bigint REFERENCES artifact ON DELETE RESTRICT,
    PRIMARY KEY (artifact_id, child_digest)
);
CREATE INDEX artifact_reference_child ON artifact_reference (child_id) WHERE child_id IS NOT NULL;
CREATE INDEX artifact_reference_waiting ON artifact_reference (repository_id, child_digest) WHERE child_id IS NULL;
COMMENT ON TABLE artifact_reference IS 'Children of an index. child_id is null while the child is absent (sparse); the push that brings it binds the waiting rows';

CREATE TABLE artifact_accessory (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    artifact_id bigint NOT NULL UNIQUE REFERENCES artifact ON DELETE CASCADE,
    repository_id bigint NOT NULL REFERENCES repository,
    subject_artifact_id bigint REFERENCES artifact ON DELETE SET NULL,
    digest text COLLATE "C" NOT NULL,
    subject_artifact_digest text COLLATE "C" NOT NULL,
    type text NOT NULL,
    size bigint NOT NULL,
    creation_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX artifact_accessory_subject ON artifact_accessory (subject_artifact_id);
CREATE INDEX artifact_accessory_waiting ON artifact_accessory (repository_id, subject_artifact_digest);
COMMENT ON TABLE artifact_accessory IS 'What is attached to an artifact: signature.cosign, signature.notation, sbom ... The subject may arrive later';

CREATE TABLE tag (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id bigint NOT NULL REFERENCES repository,
    artifact_id bigint NOT NULL REFERENCES artifact ON DELETE RESTRICT,
    name text COLLATE "C" NOT NULL,
    push_time timestamptz NOT NULL DEFAULT now(),
    pull_time timestamptz,
    UNIQUE (repository_id, name)
) WITH (fillfactor = 80);
CREATE INDEX tag_artifact ON tag (artifact_id);
COMMENT ON TABLE tag IS 'A movable name of an artifact';

CREATE TABLE tag_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id bigint NOT NULL REFERENCES repository ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    from_digest text COLLATE "C",
    to_digest text COLLATE "C",
    username text NOT NULL,
    op_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX tag_history_name ON tag_history (repository_id, name, id);
COMMENT ON TABLE tag_history IS 'Every move of every tag; from null: made, to null: removed; username empty: in another registry, by nobody knows whom';

CREATE TABLE label (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint REFERENCES project ON DELETE CASCADE,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    color text NOT NULL DEFAULT '',
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (project_id, name)
);
COMMENT ON TABLE label IS 'A word to put on artifacts; project_id null: for the whole system';

CREATE TABLE artifact_label (
    artifact_id bigint NOT NULL REFERENCES artifact ON DELETE CASCADE,
    label_id bigint NOT NULL REFERENCES label ON DELETE CASCADE,
    PRIMARY KEY (artifact_id, label_id)
);
CREATE INDEX artifact_label_label ON artifact_label (label_id);
COMMENT ON TABLE artifact_label IS 'Which artifacts carry a label';

-- 4. What happens: events, audit, work ---------------------------------------------------------------------------------

CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    kind text NOT NULL,
    project_id bigint,
    repository_id bigint,
    artifact_id bigint,
    username text NOT NULL DEFAULT '',
    payload jsonb NOT NULL DEFAULT '{}',
    op_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_order ON event (xid, id);
COMMENT ON TABLE event IS 'Outbox: written by the transaction that did it, read in (xid, id) order below the oldest running transaction, so none is skipped';

CREATE SEQUENCE access_log_id;
CREATE TABLE access_log (
    log_id bigint NOT NULL DEFAULT CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('access_log_id') END,
    username text NOT NULL,
    project_id bigint,
    repo_name text COLLATE "C" NOT NULL DEFAULT '',
    repo_tag text COLLATE "C" NOT NULL DEFAULT '',
    operation text NOT NULL,
    op_time timestamptz NOT NULL DEFAULT now(),
    resource_type text NOT NULL DEFAULT 'artifact',
    resource text NOT NULL DEFAULT '',
    result boolean NOT NULL DEFAULT true,
    address text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    PRIMARY KEY (op_time, log_id)
) PARTITION BY RANGE (op_time);
CREATE TABLE access_log_default PARTITION OF access_log DEFAULT;
CREATE INDEX access_log_order ON access_log (log_id);
CREATE INDEX access_log_project ON access_log (project_id, op_time, log_id);
CREATE INDEX access_log_username ON access_log (username, op_time, log_id);
CREATE INDEX access_log_change ON access_log (operation, op_time, log_id) WHERE operation <> 'pull';
CREATE INDEX access_log_resource_type ON access_log (resource_type, op_time, log_id) WHERE resource_type <> 'artifact';
CREATE INDEX access_log_refused ON access_log (op_time, log_id) WHERE NOT result;
COMMENT ON TABLE access_log IS 'Who did what: changes in their own transaction, pulls in batches. Partitioned by month; the worker makes partitions ahead';
COMMENT ON COLUMN access_log.log_id IS 'Given after the transaction has its number: so none below one can still come, once the transactions of that moment have ended';
COMMENT ON COLUMN access_log.resource IS 'What it was done to: a digest, an account, a project ...';

CREATE TABLE audit_checkpoint (
    number bigint PRIMARY KEY,
    after_id bigint NOT NULL,
    last_id bigint NOT NULL,
    row_count int NOT NULL,
    total bigint NOT NULL,
    first_time timestamptz NOT NULL,
    last_time timestamptz NOT NULL,
    chain bytea NOT NULL,
    hints bytea NOT NULL,
    made_at timestamptz NOT NULL,
    kid text COLLATE "C" NOT NULL DEFAULT '',
    signature bytea NOT NULL DEFAULT ''
);
ALTER TABLE audit_checkpoint ALTER COLUMN hints SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX audit_checkpoint_last ON audit_checkpoint (last_id);
CREATE UNIQUE INDEX audit_checkpoint_total ON audit_checkpoint (total);
COMMENT ON TABLE audit_checkpoint IS 'The rows of access_log after after_id up to last_id, sealed: a hash over each and its predecessor, signed';
COMMENT ON COLUMN audit_checkpoint.total IS 'Rows sealed since the first checkpoint, these included';
COMMENT ON COLUMN audit_checkpoint.first_time IS 'The least op_time among them; last_time is the greatest';
COMMENT ON COLUMN audit_checkpoint.chain IS 'SHA-256 over the predecessor''s hash and a row, for the last of them';
COMMENT ON COLUMN audit_checkpoint.hints IS 'CRC-32 of each row, to say which was altered; not signed';

CREATE TABLE audit_purge (
    number bigint PRIMARY KEY,
    last_id bigint NOT NULL,
    total bigint NOT NULL,
    chain bytea NOT NULL,
    before timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    username text NOT NULL,
    kid text COLLATE "C" NOT NULL DEFAULT '',
    signature bytea NOT NULL DEFAULT ''
);
COMMENT ON TABLE audit_purge IS 'Checkpoints up to a number whose rows were older than before, and are gone: where the chain goes on from, signed';

CREATE TABLE audit_key (
    kid text COLLATE "C" PRIMARY KEY,
    sealed bytea NOT NULL
);
COMMENT ON TABLE audit_key IS 'Public keys of checkpoints, kept after signing_key forgets them; sealed with auth.secretkey, so that the database alone can bring none in';

CREATE TABLE audit_forward (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    log_id bigint NOT NULL,
    checkpoint bigint NOT NULL,
    holder text NOT NULL DEFAULT '',
    until timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit_forward IS 'The last row of access_log and the last checkpoint that a syslog collector has; who forwards now, and until when alone';

CREATE TABLE setting (
    name text COLLATE "C" PRIMARY KEY,
    value jsonb NOT NULL,
    update_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE setting IS 'What is set while the registry runs: mode (normal, no-push, read-only), auth_mode, oidc, oidc_client_secret (sealed, base64), storage_target, adopted_trees (kept, ours)';

CREATE TABLE gc_review (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('link', 'blob', 'artifact')),
    target bigint NOT NULL,
    review_after timestamptz NOT NULL
);
CREATE INDEX gc_review_after ON gc_review (review_after);
COMMENT ON TABLE gc_review IS 'What gc must look at, and when. Every request is a row of its own';

CREATE TABLE gc_delete (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest text COLLATE "C" NOT NULL,
    generation int NOT NULL,
    key text COLLATE "C",
    attempts int NOT NULL DEFAULT 0,
    next_try timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX gc_delete_next ON gc_delete (next_try);
CREATE INDEX gc_delete_digest ON gc_delete (digest);
COMMENT ON TABLE gc_delete IS 'Objects to delete from the store. Every request is a row of its own, removed only by whoever deleted for it';
COMMENT ON COLUMN gc_delete.generation IS '-1: not a blob but the copy of a manifest, unless an artifact has that digest again';

CREATE TABLE schedule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    policy_id bigint,
    cron text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    next_run_at timestamptz NOT NULL,
    last_run_at timestamptz,
    payload jsonb NOT NULL DEFAULT '{}',
    UNIQUE NULLS NOT DISTINCT (kind, policy_id)
);
CREATE INDEX schedule_due ON schedule (next_run_at) WHERE enabled;
COMMENT ON TABLE schedule IS 'What runs by the clock: six-field cron, fired once whatever the number of workers';

CREATE TABLE execution (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    policy_id bigint,
    trigger text NOT NULL DEFAULT 'manual',
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'success', 'error', 'stopped')),
    status_message text NOT NULL DEFAULT '',
    username text NOT NULL DEFAULT '',
    extra_attrs jsonb NOT NULL DEFAULT '{}',
    creation_time timestamptz NOT NULL DEFAULT now(),
    start_time timestamptz,
    end_time timestamptz
);
CREATE INDEX execution_kind ON execution (kind, policy_id, id);
COMMENT ON TABLE execution IS 'One run of something: the truth about it, whatever the queue says';

CREATE TABLE task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id bigint NOT NULL REFERENCES execution ON DELETE CASCADE,
    kind text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'success', 'error', 'stopped')),
    status_message text NOT NULL DEFAULT '',
    attempts int NOT NULL DEFAULT 0,
    waits int NOT NULL DEFAULT 0,
    stop_requested boolean NOT NULL DEFAULT false,
    creation_time timestamptz NOT NULL DEFAULT now(),
    start_time timestamptz,
    update_time timestamptz NOT NULL DEFAULT now(),
    end_time timestamptz
);
CREATE INDEX task_execution ON task (execution_id, id);
CREATE INDEX task_unfinished ON task (update_time) WHERE status IN ('pending', 'running');
COMMENT ON TABLE task IS 'One piece of an execution; a job carries its id and nothing else';
COMMENT ON COLUMN task.waits IS 'Attempts that only found that the registry is read-only: they do not count against it';

CREATE TABLE task_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    op_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    level text NOT NULL DEFAULT 'info',
    line text NOT NULL
);
CREATE INDEX task_log_task ON task_log (task_id, id);
COMMENT ON TABLE task_log IS 'What a task said, bounded in lines and length';

-- 5. Policies ----------------------------------------------------------------------------------------------------------

CREATE TABLE retention_policy (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL UNIQUE REFERENCES project ON DELETE CASCADE,
    name text NOT NULL DEFAULT '',
    rules jsonb NOT NULL DEFAULT '[]',
    trigger jsonb NOT NULL DEFAULT '{}',
    enabled boolean NOT NULL DEFAULT true,
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE retention_policy IS 'Which tags are kept; one per project, as in Harbor. trigger: kind Schedule (settings.cron), Event or none';

CREATE TABLE retention_task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id bigint NOT NULL REFERENCES execution ON DELETE CASCADE,
    repository_id bigint NOT NULL,
    repository text COLLATE "C" NOT NULL,
    total int NOT NULL,
    retained int NOT NULL,
    computed_at timestamptz NOT NULL
);
CREATE INDEX retention_task_execution ON retention_task (execution_id, id);
COMMENT ON TABLE retention_task IS 'What one run of a retention policy made of one repository: artifacts in all, and those that stay';
COMMENT ON COLUMN retention_task.computed_at IS 'The time that the choice was made for: whatever was pushed or pulled since is looked at again before anything goes';

CREATE TABLE retention_pick (
    execution_id bigint NOT NULL REFERENCES execution ON DELETE CASCADE,
    artifact_id bigint NOT NULL,
    task_id bigint NOT NULL REFERENCES retention_task ON DELETE CASCADE,
    digest text COLLATE "C" NOT NULL,
    tags text[] NOT NULL,
    pushed timestamptz NOT NULL,
    pulled timestamptz,
    late boolean NOT NULL,
    expires boolean NOT NULL,
    state text NOT NULL DEFAULT 'picked' CHECK (state IN ('picked', 'removed', 'kept')),
    PRIMARY KEY (execution_id, artifact_id)
);
CREATE INDEX retention_pick_task ON retention_pick (task_id, artifact_id);
CREATE INDEX retention_pick_next ON retention_pick (execution_id, late, artifact_id) WHERE state = 'picked';
COMMENT ON TABLE retention_pick IS 'The stored diff of a run: what goes, or would go in a dry run';
COMMENT ON COLUMN retention_pick.late IS 'A child of an index or an accessory: goes after what needs it, and only if that has gone';
COMMENT ON COLUMN retention_pick.expires IS 'Has an immutable tag, and a rule of the policy lets these go at its age';
COMMENT ON COLUMN retention_pick.state IS 'kept: picked, and needed again when its turn came';

CREATE TABLE immutable_rule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES project ON DELETE CASCADE,
    rule jsonb NOT NULL,
    repositories jsonb NOT NULL,
    tags jsonb NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    creation_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX immutable_rule_project ON immutable_rule (project_id);
COMMENT ON TABLE immutable_rule IS 'Which tags may not move or go, in Harbor''s selector grammar. The triggers of section 7 hold it, whoever moves or deletes';
COMMENT ON COLUMN immutable_rule.rule IS 'As it was sent';
COMMENT ON COLUMN immutable_rule.repositories IS 'Compiled selectors, all of which must hold: {re, not} of the name below the project';
COMMENT ON COLUMN immutable_rule.tags IS 'The same of the tag: {re, not}, or {labels, not} of its artifact';

CREATE TABLE hold (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES project,
    repository_id bigint REFERENCES repository,
    artifact_id bigint REFERENCES artifact,
    reason text NOT NULL,
    username text NOT NULL,
    creation_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (project_id, repository_id, artifact_id)
);
CREATE INDEX hold_artifact ON hold (artifact_id) WHERE artifact_id IS NOT NULL;
CREATE INDEX hold_repository ON hold (repository_id) WHERE repository_id IS NOT NULL;
COMMENT ON TABLE hold IS 'A legal hold: what it covers is deleted by nobody until it is lifted. Of an artifact, or with nulls of a whole repository or project';

CREATE TABLE remote_registry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    description text NOT NULL DEFAULT '',
    type text NOT NULL,
    url text NOT NULL,
    credential bytea,
    insecure boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'unknown',
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE remote_registry IS 'Another registry; its credential is sealed with auth.secretkey';

CREATE TABLE replication_policy (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    description text NOT NULL DEFAULT '',
    src_registry_id bigint REFERENCES remote_registry,
    dest_registry_id bigint REFERENCES remote_registry,
    dest_namespace text,
    trigger text NOT NULL DEFAULT 'manual' CHECK (trigger IN ('manual', 'event_based', 'scheduled')),
    filters jsonb NOT NULL DEFAULT '[]',
    enabled boolean NOT NULL DEFAULT true,
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE replication_policy IS 'What is copied where; src null: from here, dest null: to here';

CREATE TABLE replication_execution (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_id bigint NOT NULL REFERENCES replication_policy ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'pending',
    trigger text NOT NULL DEFAULT 'manual',
    start_time timestamptz NOT NULL DEFAULT now(),
    end_time timestamptz
);
CREATE INDEX replication_execution_policy ON replication_execution (policy_id, id);
COMMENT ON TABLE replication_execution IS 'One run of a replication policy';

CREATE TABLE replication_task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id bigint NOT NULL REFERENCES replication_execution ON DELETE CASCADE,
    resource_type text NOT NULL,
    src_resource text NOT NULL,
    dst_resource text NOT NULL,
    operation text NOT NULL CHECK (operation IN ('copy', 'delete')),
    status text NOT NULL DEFAULT 'pending',
    offsets jsonb NOT NULL DEFAULT '{}',
    start_time timestamptz,
    end_time timestamptz
);
CREATE INDEX replication_task_execution ON replication_task (execution_id, id);
COMMENT ON TABLE replication_task IS 'One artifact of a replication; offsets per blob, so that it resumes';

CREATE TABLE webhook_policy (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES project ON DELETE CASCADE,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    targets jsonb NOT NULL DEFAULT '[]',
    secret bytea,
    event_types text[] NOT NULL DEFAULT '{}',
    enabled boolean NOT NULL DEFAULT true,
    creation_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, name)
);
COMMENT ON TABLE webhook_policy IS 'Whom to tell of what; targets'' secrets are sealed';

CREATE TABLE webhook_execution (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_id bigint NOT NULL REFERENCES webhook_policy ON DELETE CASCADE,
    event_id bigint NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    creation_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (policy_id, event_id)
);
COMMENT ON TABLE webhook_execution IS 'One event to be told under one policy';

CREATE TABLE webhook_task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id bigint NOT NULL REFERENCES webhook_execution ON DELETE CASCADE,
    target jsonb NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    attempts int NOT NULL DEFAULT 0,
    next_try timestamptz NOT NULL DEFAULT now(),
    answer text NOT NULL DEFAULT ''
);
CREATE INDEX webhook_task_execution ON webhook_task (execution_id);
COMMENT ON TABLE webhook_task IS 'One delivery to one target';

CREATE TABLE scan_report (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    artifact_id bigint NOT NULL REFERENCES artifact ON DELETE CASCADE,
    scanner text NOT NULL,
    severity text NOT NULL DEFAULT 'none',
    report jsonb NOT NULL DEFAULT '{}',
    creation_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (artifact_id, scanner)
);
COMMENT ON TABLE scan_report IS 'What a scanner (of curves: the quality check) found in an artifact';

-- 6. The catalogue of wells and curves ---------------------------------------------------------------------------------
-- Made from the artifacts alone, by the push that brings them; `dfr reindex` makes it again. A curve is its repository
-- (<project>/<well>/<frame>/<curve>) and has its id, a version is its artifact and has its id.

CREATE TABLE well (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES project ON DELETE CASCADE,
    name text NOT NULL,
    name_norm text COLLATE "C" NOT NULL,
    uwi text,
    uwi_norm text COLLATE "C",
    api text,
    operator text,
    field text,
    country text,
    lat double precision,
    lon double precision,
    UNIQUE (project_id, name_norm)
);
CREATE INDEX well_name ON well (name_norm);
CREATE INDEX well_uwi ON well (uwi_norm) WHERE uwi_norm IS NOT NULL;
COMMENT ON TABLE well IS 'The hole. name_norm keeps letters and digits of every script, case folded, so spellings of one name are one well';
COMMENT ON COLUMN well.uwi IS 'This and what follows: from the first version that says it; null where none does';

CREATE TABLE well_slug (
    project_id bigint NOT NULL REFERENCES project ON DELETE CASCADE,
    slug text COLLATE "C" NOT NULL,
    well_id bigint NOT NULL REFERENCES well ON DELETE CASCADE,
    PRIMARY KEY (project_id, slug)
);
CREATE INDEX well_slug_well ON well_slug (well_id);
COMMENT ON TABLE well_slug IS 'Repository segments under which a well''s curves live: <project>/<slug>/...; spellings of one name may have several';

CREATE TABLE well_alias (
    well_id bigint NOT NULL REFERENCES well ON DELETE CASCADE,
    alias_norm text COLLATE "C" NOT NULL,
    alias text NOT NULL,
    PRIMARY KEY (alias_norm, well_id)
);
CREATE INDEX well_alias_well ON well_alias (well_id);
COMMENT ON TABLE well_alias IS 'Other names of a well, as printed and as name_norm';

CREATE TABLE mnemonic_alias (
    project_id bigint REFERENCES project ON DELETE CASCADE,
    mnemonic_norm text COLLATE "C" NOT NULL,
    service_company text,
    family text NOT NULL,
    priority int NOT NULL DEFAULT 0,
    UNIQUE NULLS NOT DISTINCT (project_id, mnemonic_norm, service_company)
);
COMMENT ON TABLE mnemonic_alias IS 'Which family a mnemonic belongs to where the config names none; project_id null: for all';
COMMENT ON COLUMN mnemonic_alias.service_company IS 'Null: of any. The project''s own rows win, then those of the company, then the highest priority';

CREATE TABLE unit_alias (
    project_id bigint REFERENCES project ON DELETE CASCADE,
    spelling text COLLATE "C" NOT NULL,
    family text,
    unit_canonical text NOT NULL,
    factor double precision NOT NULL DEFAULT 1,
    offset_ double precision NOT NULL DEFAULT 0,
    UNIQUE NULLS NOT DISTINCT (project_id, spelling, family)
);
COMMENT ON TABLE unit_alias IS 'Spellings of units that the config left as printed: canonical = value * factor + offset_';

CREATE TABLE curve (
    id bigint PRIMARY KEY REFERENCES repository ON DELETE CASCADE,
    project_id bigint NOT NULL,
    well_id bigint NOT NULL REFERENCES well ON DELETE CASCADE,
    frame text NOT NULL,
    frame_norm text COLLATE "C" NOT NULL,
    frame_slug text COLLATE "C" NOT NULL,
    mnemonic text NOT NULL,
    mnemonic_norm text COLLATE "C" NOT NULL,
    latest_version_id bigint,
    family text COLLATE "C",
    unit text COLLATE "C",
    unit_canonical text COLLATE "C",
    index_kind text,
    samples bigint,
    null_fraction real,
    idx_range numrange,
    step double precision,
    vmin double precision,
    vmax double precision,
    p50 double precision,
    pushed timestamptz,
    verdict text,
    qc_severity smallint
);
CREATE INDEX curve_well ON curve (well_id, frame_slug, frame_norm, mnemonic_norm, id) INCLUDE (latest_version_id);
CREATE INDEX curve_project ON curve (project_id, id);
CREATE INDEX curve_family ON curve (family, id);
CREATE INDEX curve_mnemonic ON curve (mnemonic_norm, id);
CREATE INDEX curve_range ON curve USING gist (idx_range);
CREATE INDEX curve_empty ON curve (null_fraction) WHERE null_fraction > 0.5;
CREATE INDEX curve_severity ON curve (qc_severity) WHERE qc_severity >= 3;
CREATE INDEX curve_coverage ON curve (well_id, family, index_kind) INCLUDE (idx_range)
WHERE latest_version_id IS NOT NULL AND family IS NOT NULL;
COMMENT ON TABLE curve IS 'One measured log of a frame: one repository of four segments, whose id it has. The first push fixes its true names';
COMMENT ON COLUMN curve.latest_version_id IS 'Of the live versions the one that the tag latest names, else that of the highest number, else the last pushed; null: none is left, and the curve is in no answer';
COMMENT ON COLUMN curve.family IS 'This and all that follows: copies of the latest version''s, for quick questions';

CREATE TABLE curve_version (
    id bigint PRIMARY KEY REFERENCES artifact ON DELETE CASCADE,
    curve_id bigint NOT NULL REFERENCES curve ON DELETE CASCADE,
    project_id bigint NOT NULL,
    version int CHECK (version > 0),
    values_id bytea NOT NULL,
    index_id bytea NOT NULL,
    dtype text NOT NULL,
    width int NOT NULL,
    samples bigint NOT NULL,
    index_kind text NOT NULL,
    index_unit text NOT NULL,
    first_index text NOT NULL,
    last_index text NOT NULL,
    idx_range numrange,
    step double precision,
    null_fraction real NOT NULL,
    description text NOT NULL DEFAULT '',
    family text COLLATE "C",
    unit text COLLATE "C" NOT NULL,
    unit_canonical text COLLATE "C" NOT NULL,
    vmin double precision, vmax double precision, vmean double precision, vstd double precision,
    p01 double precision, p05 double precision, p50 double precision, p95 double precision, p99 double precision,
    hist bigint[],
    wellbore text,
    run text,
    pass text,
    service_company text,
    acquired date,
    created timestamptz NOT NULL,
    pushed timestamptz NOT NULL,
    changed timestamptz NOT NULL DEFAULT clock_timestamp(),
    author text NOT NULL DEFAULT '',
    operation text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    tool text NOT NULL DEFAULT '',
    parent_digest text COLLATE "C",
    verdict text NOT NULL DEFAULT 'pending' CHECK (verdict IN ('pending', 'good', 'bad')),
    findings jsonb NOT NULL DEFAULT '[]',
    qc_severity smallint,
    deleted_at timestamptz
);
CREATE UNIQUE INDEX curve_version_number ON curve_version (curve_id, version) WHERE version IS NOT NULL;
CREATE INDEX curve_version_live ON curve_version (curve_id, (coalesce(version, id - 4611686018427387904))) WHERE deleted_at IS NULL;
CREATE INDEX curve_version_values ON curve_version (values_id);
CREATE INDEX curve_version_created ON curve_version (created);
CREATE INDEX curve_version_pushed ON curve_version (pushed);
CREATE INDEX curve_version_changed ON curve_version (changed, id);
COMMENT ON INDEX curve_version_live IS 'By number, and below all of these, in the order of their pushes, those without: the last is the latest';
COMMENT ON TABLE curve_version IS 'One immutable artifact of a curve, whose id it has; pushes come in the order of their ids';
COMMENT ON COLUMN curve_version.project_id IS 'Its curve''s, which is of one project for ever: so that who may read is told without a look at the curve';
COMMENT ON COLUMN curve_version.version IS 'The first N of a tag vN that ever named it; null: pushed without one. Never given to another version of the curve';
COMMENT ON COLUMN curve_version.samples IS 'Rows, absent samples included';
COMMENT ON COLUMN curve_version.first_index IS 'Exact text of the lowest index value, in index_unit or ISO 8601; last_index of the highest';
COMMENT ON COLUMN curve_version.idx_range IS 'Both ends included, in metres, or in seconds (since 1970 for times of day); null where the unit is neither length nor time';
COMMENT ON COLUMN curve_version.step IS 'Metres or seconds as idx_range; null where irregular or of one row';
COMMENT ON COLUMN curve_version.null_fraction IS 'Of all samples, those absent; 1 of a curve without any';
COMMENT ON COLUMN curve_version.vmin IS 'Statistics are in unit, of the samples that are there; null of texts';
COMMENT ON COLUMN curve_version.created IS 'org.opencontainers.image.created of the manifest, else pushed';
COMMENT ON COLUMN curve_version.pushed IS 'When its artifact was first pushed here';
COMMENT ON COLUMN curve_version.changed IS 'When it was pushed, got its number, was deleted or came back: for what changed since a time';
COMMENT ON COLUMN curve_version.verdict IS 'What the bytes of the layers say of the claims of the config; reasons in findings, a list of texts';
COMMENT ON COLUMN curve_version.deleted_at IS 'Its artifact''s: in no answer, but its number stays used; a push of the same bytes brings it back';

CREATE TABLE segment (
    content_id bytea NOT NULL,
    blob_digest text COLLATE "C" NOT NULL,
    dtype text NOT NULL,
    width int NOT NULL,
    verified boolean NOT NULL DEFAULT false,
    PRIMARY KEY (blob_digest, content_id)
);
CREATE INDEX segment_content ON segment (content_id);
COMMENT ON TABLE segment IS 'Which blobs are said to hold which values; verified: a job of ours has recomputed the content id from the blob';

CREATE TABLE lineage (
    version_id bigint NOT NULL REFERENCES curve_version ON DELETE CASCADE,
    ref text COLLATE "C" NOT NULL,
    role text NOT NULL,
    input_digest text COLLATE "C",
    PRIMARY KEY (version_id, ref, role)
);
CREATE INDEX lineage_input ON lineage (input_digest) WHERE input_digest IS NOT NULL;
COMMENT ON TABLE lineage IS 'What a version was made from, as its config says; input_digest where the reference is by digest';

CREATE TABLE qc_finding (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id bigint NOT NULL REFERENCES curve_version ON DELETE CASCADE,
    check_id text NOT NULL,
    severity smallint NOT NULL,
    count bigint NOT NULL DEFAULT 1,
    first_index numrange,
    example jsonb
);
CREATE INDEX qc_finding_version ON qc_finding (version_id, severity);
COMMENT ON TABLE qc_finding IS 'One result of one quality check of a curve version';

-- 7. What must be decided in one transaction, in one round trip each ----------------------------------------------------
-- The blob's life is the protocol of tests/core/model/blob_protocol.py: change the model first, then these functions.
-- Look-ups by several columns are scalar, or subqueries of their own (OFFSET 0 keeps them so): joined, a plan made before
-- there are statistics takes an index by its first column alone and reads a whole repository (tests/core/test_rows_read.py).
-- Refusals are raised as RGnnn with a word as the message and JSON as the detail: core/records/refusals.py reads them.

CREATE FUNCTION rights(p_kind text, p_id bigint, p_epoch int, p_project text)
RETURNS TABLE (valid boolean, admin boolean, project_id bigint, public boolean, sparse boolean, roles smallint[], grants text[],
               storage_limit bigint, storage_used bigint)
LANGUAGE sql STABLE AS $$
  SELECT CASE p_kind WHEN 'account' THEN a.account_id IS NOT NULL WHEN 'robot' THEN b.robot_id IS NOT NULL ELSE true END,
         p_kind = 'system' OR coalesce(a.admin OR a.admin_in_auth, false),
         p.project_id, coalesce(p.public, false), coalesce(p.sparse, false),
         ARRAY(SELECT m.role_id FROM project_member m
               WHERE m.project_id = p.project_id AND m.entity_type = 'u' AND m.entity_id = a.account_id
               UNION ALL
               SELECT m.role_id FROM user_group_member g
               JOIN project_member m ON m.project_id = p.project_id AND m.entity_type = 'g' AND m.entity_id = g.group_id
               WHERE g.account_id = a.account_id),
         -- a robot of one project acts nowhere else, whatever its permissions say
         CASE WHEN b.robot_id IS NOT NULL THEN ARRAY(
           SELECT (t ->> 'resource') || ':' || (t ->> 'action')
           FROM jsonb_array_elements(b.permissions) AS g, jsonb_array_elements(g -> 'access') AS t
           WHERE coalesce(t ->> 'effect', 'allow') <> 'deny'
             AND CASE WHEN p_project = '' THEN g ->> 'kind' = 'system' AND b.project_id IS NULL
                      ELSE g ->> 'kind' = 'project' AND (g ->> 'namespace' = '*' OR (g ->> 'project_id')::bigint = p.project_id)
                           AND (b.project_id IS NULL OR b.project_id = p.project_id) END) ELSE '{}' END,
         nullif(p.storage_limit, -1), CASE WHEN p.storage_limit >= 0 THEN p.storage_used + p.storage_reserved END
  FROM (SELECT 1) AS one
  -- a null id is looked up in no index: the kinds that a principal is not cost nothing
  LEFT JOIN account a ON a.account_id = CASE WHEN p_kind = 'account' THEN p_id END AND a.token_epoch = p_epoch
                     AND NOT a.disabled AND NOT a.deleted
  LEFT JOIN robot b ON b.robot_id = CASE WHEN p_kind = 'robot' THEN p_id END AND b.token_epoch = p_epoch AND NOT b.disabled
                   AND (b.expires_at IS NULL OR b.expires_at > now())
                   AND (b.project_id IS NULL OR EXISTS (SELECT FROM project o WHERE o.project_id = b.project_id AND NOT o.deleted))
  LEFT JOIN project p ON p.name = p_project AND NOT p.deleted
$$;
COMMENT ON FUNCTION rights IS 'What a principal (kind, id, epoch) may claim in a project: asked on every request';

CREATE FUNCTION refuse(p_code text, p_word text, p_detail jsonb DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = p_code, MESSAGE = p_word, DETAIL = coalesce(p_detail::text, '');
END $$;
COMMENT ON FUNCTION refuse IS 'Ends the transaction with an answer for the client';

CREATE FUNCTION charge_project(p_project bigint, p_bytes bigint, p_artifacts int, p_digests text[] DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE p project; v_freed bigint; v_soft record;
BEGIN
  UPDATE project SET storage_used = storage_used + p_bytes, artifact_count = artifact_count + p_artifacts
  WHERE project_id = p_project AND NOT deleted AND storage_limit < 0 AND artifact_limit < 0;
  IF FOUND THEN RETURN NULL; END IF;
  -- lock in one statement, look in the next: a reservation that is made meanwhile is seen
  SELECT * INTO p FROM project WHERE project_id = p_project AND NOT deleted FOR NO KEY UPDATE;
  IF NOT FOUND THEN PERFORM refuse('RG404', 'NAME_UNKNOWN'); END IF;
  v_freed := quota_freed(p_project, p_digests);
  UPDATE project SET storage_used = storage_used + p_bytes, artifact_count = artifact_count + p_artifacts, storage_reserved = storage_reserved - v_freed
  WHERE project_id = p_project
    AND (storage_limit < 0 OR p_bytes <= 0 OR storage_used + storage_reserved - v_freed + p_bytes <= storage_limit)
    AND (artifact_limit < 0 OR p_artifacts <= 0 OR artifact_count + p_artifacts <= artifact_limit);
  IF NOT FOUND THEN PERFORM quota_refuse(p, v_freed, p_bytes, p_artifacts); END IF;
  SELECT q.* INTO v_soft FROM (VALUES ('bytes', p.storage_limit, p.storage_used, p_bytes), ('artifacts', p.artifact_limit, p.artifact_count, p_artifacts))
    AS q(what, hard, was, asked)
  WHERE q.hard >= 0 AND q.asked > 0 AND p.quota_warning > 0 AND (q.was + q.asked) * 100.0 >= q.hard::numeric * p.quota_warning LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF v_soft.was * 100.0 < v_soft.hard::numeric * p.quota_warning THEN
    INSERT INTO event (kind, project_id, payload) VALUES ('quota.warning', p_project,
      jsonb_build_object('what', v_soft.what, 'limit', v_soft.hard, 'used', v_soft.was + v_soft.asked, 'percent', p.quota_warning));
  END IF;
  RETURN jsonb_build_object('what', v_soft.what, 'limit', v_soft.hard, 'used', v_soft.was + v_soft.asked);
END $$;
COMMENT ON FUNCTION charge_project IS 'Quota, decided by one UPDATE under the project''s lock: always the last lock of a transaction. Answers what to warn of, null below the soft limit. Digests: whose reservations the charge consumes';

CREATE FUNCTION quota_freed(p_project bigint, p_digests text[]) RETURNS bigint LANGUAGE sql AS $$
  WITH gone AS (DELETE FROM project_reservation WHERE project_id = p_project AND (digest = ANY (p_digests) OR until < clock_timestamp()) RETURNING size)
  SELECT coalesce(sum(size), 0)::bigint FROM gone
$$;
COMMENT ON FUNCTION quota_freed IS 'Ends the reservations of digests, and those that are over; the bytes that they held. The caller has the project locked';

CREATE FUNCTION quota_refuse(p project, p_freed bigint, p_bytes bigint, p_artifacts int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF p.storage_limit >= 0 AND p_bytes > 0 AND p.storage_used + p.storage_reserved - p_freed + p_bytes > p.storage_limit THEN
    PERFORM refuse('RG403', 'QUOTA', jsonb_build_object('limit', p.storage_limit, 'used', p.storage_used + p.storage_reserved - p_freed, 'asked', p_bytes));
  END IF;
  PERFORM refuse('RG403', 'QUOTA_ARTIFACTS', jsonb_build_object('limit', p.artifact_limit, 'used', p.artifact_count, 'asked', p_artifacts));
END $$;
COMMENT ON FUNCTION quota_refuse IS 'Says which limit would be passed; used counts what is promised to others';

CREATE FUNCTION quota_reserve(p_project bigint, p_digest text, p_size bigint, p_keep interval) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE p project; v_freed bigint;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);  -- losing one loses a promise, never a byte
  SELECT * INTO p FROM project WHERE project_id = p_project AND NOT deleted FOR NO KEY UPDATE;
  IF NOT FOUND THEN PERFORM refuse('RG404', 'NAME_UNKNOWN'); END IF;
  PERFORM 1 FROM project_blob WHERE project_id = p_project AND blob_id = (SELECT id FROM artifact_blob WHERE digest = p_digest);
  IF FOUND OR p.storage_limit < 0 THEN RETURN false; END IF;
  UPDATE project_reservation SET until = clock_timestamp() + p_keep WHERE project_id = p_project AND digest = p_digest;
  IF FOUND THEN RETURN false; END IF;
  v_freed := quota_freed(p_project, '{}');
  UPDATE project SET storage_reserved = storage_reserved - v_freed + p_size
  WHERE project_id = p_project AND storage_used + storage_reserved - v_freed + p_size <= storage_limit;
  IF NOT FOUND THEN PERFORM quota_refuse(p, v_freed, p_size, 0); END IF;
  INSERT INTO project_reservation VALUES (p_project, p_digest, p_size, clock_timestamp() + p_keep);
  RETURN true;
END $$;
COMMENT ON FUNCTION quota_reserve IS 'Promises a blob that is not charged yet its room. False: none was needed, or another who brings it holds the promise';

CREATE FUNCTION quota_release(p_project bigint, p_digest text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM 1 FROM project WHERE project_id = p_project FOR NO KEY UPDATE;
  UPDATE project SET storage_reserved = storage_reserved - quota_freed(p_project, ARRAY[p_digest]) WHERE project_id = p_project;
END $$;
COMMENT ON FUNCTION quota_release IS 'The bytes did not come: their room is for others again';

CREATE FUNCTION link_charge(p_repositories bigint[], p_blobs bigint[], p_digests text[], p_sizes bigint[], p_lease interval) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_until timestamptz := clock_timestamp() + p_lease; whole boolean; v_links bigint[]; v_repositories bigint[]; v_blobs bigint[]; c record;
BEGIN
  IF (SELECT value #>> '{}' FROM setting WHERE name = 'mode') = 'read-only' THEN  -- what was under way when it was set
    PERFORM refuse('RG405', 'READ_ONLY');
  END IF;
  WITH made AS (
    INSERT INTO repository_blob AS l (repository_id, project_id, blob_id, keep_until)
    SELECT DISTINCT ON (q.repository, q.digest COLLATE "C") q.repository, r.project_id, q.blob, v_until
    FROM unnest(p_repositories, p_blobs, p_digests) AS q(repository, blob, digest) JOIN repository r ON r.repository_id = q.repository
    ORDER BY q.repository, q.digest COLLATE "C"
    ON CONFLICT (repository_id, blob_id) DO UPDATE SET keep_until = greatest(l.keep_until, excluded.keep_until), hidden = false
    RETURNING l.id, l.repository_id, l.blob_id, l.xmax = 0 AS fresh),
  reviewed AS (INSERT INTO gc_review (kind, target, review_after) SELECT 'link', id, v_until FROM made WHERE fresh)
  SELECT array_agg(id) FILTER (WHERE fresh), array_agg(repository_id) FILTER (WHERE fresh), array_agg(blob_id) FILTER (WHERE fresh),
    p_repositories <@ array_agg(repository_id) INTO v_links, v_repositories, v_blobs, whole FROM made;
  IF whole IS NOT TRUE THEN PERFORM refuse('RG404', 'NAME_UNKNOWN'); END IF;
  IF v_links IS NULL THEN RETURN; END IF;
  FOR c IN
    SELECT DISTINCT w.artifact_id, q.digest, u.link FROM unnest(v_links, v_repositories, v_blobs) AS u(link, repository, blob)
    JOIN unnest(p_blobs, p_digests) AS q(blob, digest) ON q.blob = u.blob
    CROSS JOIN LATERAL (SELECT artifact_id FROM artifact_blob_ref
      WHERE repository_id = u.repository AND blob_digest = q.digest AND link_id IS NULL OFFSET 0) AS w
  LOOP UPDATE artifact_blob_ref SET link_id = c.link WHERE artifact_id = c.artifact_id AND blob_digest = c.digest AND link_id IS NULL; END LOOP;
  FOR c IN
    -- DO UPDATE, not DO NOTHING: it waits for gc's lock on the charge; else a link could stand without one
    WITH paid AS (
      INSERT INTO project_blob AS p (project_id, blob_id, size)
      SELECT DISTINCT ON (r.project_id, q.digest COLLATE "C") r.project_id, q.blob, q.size
      FROM unnest(v_repositories, v_blobs) AS u(repository, blob) JOIN repository r ON r.repository_id = u.repository
      JOIN unnest(p_blobs, p_digests, p_sizes) AS q(blob, digest, size) ON q.blob = u.blob
      ORDER BY r.project_id, q.digest COLLATE "C"
      ON CONFLICT (project_id, blob_id) DO UPDATE SET size = excluded.size RETURNING p.project_id, p.size, p.xmax = 0 AS fresh)
    SELECT project_id, sum(size)::bigint AS size FROM paid WHERE fresh GROUP BY project_id ORDER BY project_id
  LOOP PERFORM charge_project(c.project_id, c.size, 0, p_digests); END LOOP;
END $$;
COMMENT ON FUNCTION link_charge IS 'Lets repositories serve blobs, with a lease, and charges each project once; links, charges, projects: all of one kind before the next, each in order';

CREATE FUNCTION blob_take(p_digest text, p_size bigint, p_lease interval, OUT blob_id bigint, OUT was text, OUT generation int)
LANGUAGE plpgsql AS $$
DECLARE v_key text;
BEGIN
  LOOP
    INSERT INTO artifact_blob AS b (digest, size, state, keep_until) VALUES (p_digest, p_size, 'pending', clock_timestamp() + p_lease)
    ON CONFLICT (digest) DO NOTHING RETURNING b.id, 'absent', b.generation INTO blob_id, was, generation;
    EXIT WHEN FOUND;
    SELECT b.id, b.state, b.generation, b.key INTO blob_id, was, generation, v_key
    FROM artifact_blob b WHERE b.digest = p_digest FOR UPDATE;
    CONTINUE WHEN NOT FOUND;  -- its tombstone was dropped between the two statements
    IF was = 'missing' THEN  -- the rotten object goes, whoever brings the bytes again
      INSERT INTO gc_delete (digest, generation, key) VALUES (p_digest, generation, v_key);
    END IF;
    IF was IN ('gone', 'missing') THEN generation := generation + 1; END IF;
    UPDATE artifact_blob b SET
      state = CASE WHEN was IN ('live', 'condemned') THEN 'live' ELSE 'pending' END,
      generation = blob_take.generation,
      size = CASE WHEN was = 'gone' THEN p_size ELSE b.size END,  -- a hand-back's tombstone knows none
      key = CASE WHEN was IN ('gone', 'missing') THEN NULL ELSE b.key END,
      keep_until = CASE WHEN was IN ('live', 'pending') THEN greatest(b.keep_until, clock_timestamp() + p_lease)
                        ELSE clock_timestamp() + p_lease END
    WHERE b.id = blob_id;
    IF was = 'condemned' THEN
      INSERT INTO gc_review (kind, target, review_after) VALUES ('blob', blob_id, clock_timestamp() + p_lease);
    END IF;
    EXIT;
  END LOOP;
END $$;
COMMENT ON FUNCTION blob_take IS 'The first half of T1: the row of a content, made or taken as its state allows (reliability 3.2.1)';

CREATE FUNCTION blob_claim(p_repository bigint, p_digest text, p_size bigint, p_lease interval,
                           OUT state text, OUT generation int, OUT blob_id bigint)
LANGUAGE plpgsql AS $$
DECLARE was text;
BEGIN
  SELECT b.id, 'live', b.generation INTO blob_id, state, generation
  FROM artifact_blob b WHERE b.digest = p_digest AND b.state = 'live' FOR KEY SHARE;
  IF NOT FOUND THEN
    SELECT t.blob_id, t.was, t.generation INTO blob_id, was, generation FROM blob_take(p_digest, p_size, p_lease) t;
    state := CASE WHEN was IN ('live', 'condemned') THEN 'live' ELSE 'pending' END;
  END IF;
  IF state = 'live' THEN
    PERFORM link_charge(ARRAY[p_repository], ARRAY[blob_id], ARRAY[p_digest], ARRAY[p_size], p_lease);
  END IF;
END $$;
COMMENT ON FUNCTION blob_claim IS 'T1, durable before the bytes are: what no row knows nobody collects. Answer live: linked, charged, done; pending: bring the bytes of this generation, then blob_finish';

CREATE FUNCTION blob_finish(p_repository bigint, p_blob bigint, p_generation int, p_digest text, p_size bigint, p_lease interval)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE artifact_blob SET state = 'live'
  WHERE id = p_blob AND generation = p_generation AND state IN ('pending', 'live', 'condemned');
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM link_charge(ARRAY[p_repository], ARRAY[p_blob], ARRAY[p_digest], ARRAY[p_size], p_lease);
  RETURN true;
END $$;
COMMENT ON FUNCTION blob_finish IS 'T2: live, link, charge, guarded by the generation. False: the claim was swept, hand back and start again';

CREATE FUNCTION blob_inline(p_repositories bigint[], p_digests text[], p_contents bytea[], p_lease interval) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_blobs bigint[]; v_digests text[]; q record; v_blob bigint; was text;
BEGIN
  WITH made AS (  -- what nobody has is live at once
    INSERT INTO artifact_blob AS b (digest, size, state, content, keep_until)
    SELECT DISTINCT ON (u.digest COLLATE "C") u.digest, octet_length(u.content), 'live', u.content, clock_timestamp() + p_lease
    FROM unnest(p_digests, p_contents) AS u(digest, content) ORDER BY u.digest COLLATE "C"
    ON CONFLICT (digest) DO NOTHING RETURNING b.id, b.digest)
  SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(digest), '{}') INTO v_blobs, v_digests FROM made;
  IF cardinality(v_blobs) < cardinality(p_digests) THEN
    FOR q IN SELECT DISTINCT ON (u.digest COLLATE "C") u.digest, u.content FROM unnest(p_digests, p_contents) AS u(digest, content)
             WHERE u.digest <> ALL (v_digests) ORDER BY u.digest COLLATE "C" LOOP
      SELECT b.id INTO v_blob FROM artifact_blob b WHERE b.digest = q.digest AND b.state = 'live' FOR KEY SHARE;
      IF NOT FOUND THEN
        SELECT t.blob_id, t.was INTO v_blob, was FROM blob_take(q.digest, octet_length(q.content), p_lease) t;
        IF was NOT IN ('live', 'condemned') THEN
          UPDATE artifact_blob SET state = 'live', content = q.content WHERE id = v_blob;
        END IF;
      END IF;
      v_blobs := v_blobs || v_blob; v_digests := v_digests || q.digest;
    END LOOP;
  END IF;
  PERFORM link_charge(array_agg(u.repository), array_agg(b.id), array_agg(u.digest), array_agg(octet_length(u.content)::bigint), p_lease)
  FROM unnest(p_repositories, p_digests, p_contents) AS u(repository, digest, content)
  JOIN unnest(v_blobs, v_digests) AS b(id, digest) ON b.digest = u.digest;
END $$;
COMMENT ON FUNCTION blob_inline IS 'Small blobs: claim, bytes, link and charge in one transaction; the mover brings them to the store';

CREATE FUNCTION blob_hand_back(p_digest text, p_generation int) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE b artifact_blob;
BEGIN
  LOOP
    SELECT * INTO b FROM artifact_blob WHERE digest = p_digest FOR UPDATE;
    EXIT WHEN FOUND;
    -- the tombstone is gone too: make one, so that the next push of these bytes takes another key
    INSERT INTO artifact_blob (digest, size, state, generation, keep_until)
    VALUES (p_digest, 0, 'gone', p_generation, clock_timestamp() + interval '30 days') ON CONFLICT (digest) DO NOTHING;
  END LOOP;
  IF b.generation > p_generation OR (b.generation = p_generation AND b.state = 'gone') THEN
    INSERT INTO gc_delete (digest, generation) VALUES (p_digest, p_generation);
    RETURN true;
  END IF;
  RETURN false;
END $$;
COMMENT ON FUNCTION blob_hand_back IS 'An object written for a claim that was swept: queued for deletion if no row can mean it any more';

CREATE FUNCTION blob_adopt(p_repository bigint, p_digest text, p_size bigint, p_key text, p_lease interval) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_blob bigint; v_answer text := 'adopted';
BEGIN
  IF p_key IS NOT NULL THEN  -- only where no row is: a tombstone may still wait for the deletion of this very object
    INSERT INTO artifact_blob AS b (digest, size, state, key, keep_until)
    VALUES (p_digest, p_size, 'live', p_key, clock_timestamp() + p_lease) ON CONFLICT (digest) DO NOTHING RETURNING b.id INTO v_blob;
  END IF;
  IF v_blob IS NULL THEN
    v_answer := 'linked';
    SELECT b.id INTO v_blob FROM artifact_blob b WHERE b.digest = p_digest AND b.state = 'live' AND b.size = p_size FOR KEY SHARE;
    IF NOT FOUND THEN RETURN 'absent'; END IF;
  END IF;
  PERFORM link_charge(ARRAY[p_repository], ARRAY[v_blob], ARRAY[p_digest], ARRAY[p_size], p_lease);
  RETURN v_answer;
END $$;
COMMENT ON FUNCTION blob_adopt IS 'A blob whose bytes lie at a key of another registry''s tree (null: elsewhere). linked: it was here; absent: its bytes are to be brought as in a push';

CREATE FUNCTION tag_replay(p_repository bigint, p_name text, p_digests text[], p_times timestamptz[], p_username text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_digest text; v_last int := cardinality(p_digests);
BEGIN
  SELECT a.digest INTO v_digest FROM tag g JOIN artifact a ON a.id = g.artifact_id
  WHERE g.repository_id = p_repository AND g.name = p_name FOR UPDATE OF g;
  IF v_digest IS DISTINCT FROM p_digests[v_last] THEN RETURN 'moved'; END IF;
  IF (SELECT count(*) FROM (SELECT FROM tag_history WHERE repository_id = p_repository AND name = p_name LIMIT 2) AS h) <> 1 THEN RETURN 'told'; END IF;
  IF v_last > 1 AND version_of(p_name) IS NOT NULL AND EXISTS (SELECT FROM curve WHERE id = p_repository) THEN RETURN 'numbered'; END IF;
  DELETE FROM tag_history WHERE repository_id = p_repository AND name = p_name AND from_digest IS NULL AND to_digest = v_digest
    AND username = p_username AND op_time > p_times[v_last];
  IF NOT FOUND THEN RETURN 'told'; END IF;
  INSERT INTO tag_history (repository_id, name, from_digest, to_digest, username, op_time)
  SELECT p_repository, p_name, p_digests[u.n - 1], u.digest, '', u.at FROM unnest(p_digests, p_times) WITH ORDINALITY AS u(digest, at, n) ORDER BY u.n;
  RETURN 'replayed';
END $$;
COMMENT ON FUNCTION tag_replay IS 'The history of an adopted tag is what it named in the old registry, oldest first, in place of the push that brought it here; who moved it there nobody knows';

CREATE FUNCTION gc_delete_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT value #>> '{}' FROM setting WHERE name = 'adopted_trees') IS DISTINCT FROM 'ours' THEN
    NEW.next_try := 'infinity';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER gc_delete_held BEFORE INSERT ON gc_delete FOR EACH ROW WHEN (NEW.key IS NOT NULL) EXECUTE FUNCTION gc_delete_held();
COMMENT ON FUNCTION gc_delete_held IS 'Objects of adopted trees are not deleted before `dfr adopt --confirm`: until then the old registry can be started again';

CREATE FUNCTION blob_mount(p_repository bigint, p_digest text, p_from text, p_kind text, p_id bigint, p_epoch int, p_lease interval)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_blob bigint; v_size bigint; v_ok boolean;
BEGIN
  SELECT b.id, b.size INTO v_blob, v_size FROM artifact_blob b WHERE b.digest = p_digest AND b.state = 'live' FOR KEY SHARE;
  IF NOT FOUND THEN RETURN false; END IF;
  IF p_from IS NULL THEN
    SELECT true INTO v_ok FROM project_blob c JOIN project p ON p.project_id = c.project_id
    CROSS JOIN LATERAL rights(p_kind, p_id, p_epoch, p.name) x
    WHERE c.blob_id = v_blob AND NOT p.deleted AND x.valid AND (x.admin OR x.public OR cardinality(x.roles) > 0 OR 'repository:pull' = ANY (x.grants))
      -- charged for, and maybe served by no repository any more: what was deleted is no one's to take
      AND EXISTS (SELECT FROM repository_blob l JOIN repository r ON r.repository_id = l.repository_id AND r.deleted_at IS NULL
                  WHERE l.blob_id = v_blob AND l.project_id = c.project_id AND NOT l.hidden) LIMIT 1;
  ELSE
    SELECT true INTO v_ok FROM rights(p_kind, p_id, p_epoch, split_part(p_from, '/', 1)) x
    JOIN repository r ON r.project_id = x.project_id AND r.name = p_from AND r.deleted_at IS NULL
    JOIN repository_blob l ON l.repository_id = r.repository_id AND l.blob_id = v_blob AND NOT l.hidden
    WHERE x.valid AND (x.admin OR x.public OR cardinality(x.roles) > 0 OR 'repository:pull' = ANY (x.grants));
  END IF;
  IF v_ok IS NULL THEN RETURN false; END IF;
  PERFORM link_charge(ARRAY[p_repository], ARRAY[v_blob], ARRAY[p_digest], ARRAY[v_size], p_lease);
  RETURN true;
END $$;
COMMENT ON FUNCTION blob_mount IS 'Links a blob that the caller may pull elsewhere; p_from null: anywhere. False: not so, no reason told';

CREATE FUNCTION blob_hide(p_repository bigint, p_digest text, p_username text, p_address text, p_request text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_link bigint; v_project bigint; v_name text;
BEGIN
  -- lock in one statement, look in the next: a manifest PUT holds the link FOR KEY SHARE while it refers to it
  SELECT l.id, l.project_id INTO v_link, v_project FROM repository_blob l JOIN artifact_blob b ON b.id = l.blob_id
  WHERE l.repository_id = p_repository AND b.digest = p_digest AND NOT l.hidden FOR UPDATE OF l;
  IF NOT FOUND THEN PERFORM refuse('RG404', 'BLOB_UNKNOWN'); END IF;
  PERFORM 1 FROM artifact_blob_ref f JOIN artifact a ON a.id = f.artifact_id
  WHERE f.link_id = v_link AND a.deleted_at IS NULL LIMIT 1;
  IF FOUND THEN PERFORM refuse('RG405', 'BLOB_REFERENCED'); END IF;
  UPDATE repository_blob SET hidden = true WHERE id = v_link;
  INSERT INTO gc_review (kind, target, review_after) VALUES ('link', v_link, clock_timestamp());
  SELECT name INTO v_name FROM repository WHERE repository_id = p_repository;
  INSERT INTO event (kind, project_id, repository_id, username, payload)
  VALUES ('blob.deleted', v_project, p_repository, p_username, jsonb_build_object('digest', p_digest));
  INSERT INTO access_log (username, project_id, repo_name, operation, resource_type, resource, address, request_id)
  VALUES (p_username, v_project, v_name, 'delete', 'blob', p_digest, p_address, p_request);
END $$;
COMMENT ON FUNCTION blob_hide IS 'DELETE of a blob: absent in this repository at once, unless a live manifest uses it';

CREATE FUNCTION artifacts_link(p_artifacts bigint[], p_repository bigint, p_lease interval) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_blobs bigint[]; v_digests text[]; v_sizes bigint[];
BEGIN
  SELECT array_agg(u.blob_id), array_agg(u.blob_digest), array_agg(u.size) INTO v_blobs, v_digests, v_sizes FROM (
    SELECT s.blob_id, f.blob_digest, b.size FROM artifact_blob_ref f
    JOIN repository_blob s ON s.id = f.link_id JOIN artifact_blob b ON b.id = s.blob_id
    WHERE f.artifact_id = ANY (p_artifacts) ORDER BY f.blob_digest FOR KEY SHARE OF s) AS u;
  IF v_blobs IS NOT NULL THEN
    PERFORM link_charge(array_fill(p_repository, ARRAY[cardinality(v_blobs)]), v_blobs, v_digests, v_sizes, p_lease);
  END IF;
END $$;
COMMENT ON FUNCTION artifacts_link IS 'Lets a repository serve the blobs that artifacts of another one refer to';

CREATE FUNCTION adopt_child(p_repository bigint, p_digest text, p_username text, p_lease interval) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE home repository; source artifact; v_id bigint; fresh boolean; l record; v_child bigint;
BEGIN
  SELECT * INTO home FROM repository WHERE repository_id = p_repository;
  SELECT a.* INTO source FROM artifact a
  WHERE a.deleted_at IS NULL AND a.id = (
    SELECT min(b.id) FROM (SELECT * FROM artifact WHERE digest = p_digest AND deleted_at IS NULL OFFSET 0) AS b
    WHERE b.project_id = home.project_id AND starts_with(b.repository_name, home.name || '/')) FOR KEY SHARE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM artifacts_link(ARRAY[source.id], p_repository, p_lease);
  INSERT INTO artifact AS x (type, media_type, manifest_media_type, artifact_type, project_id, repository_id, repository_name, digest,
    size, manifest, subject_digest, pushed_by, extra_attrs, annotations, charged, keep_until)
  VALUES (source.type, source.media_type, source.manifest_media_type, source.artifact_type, source.project_id, p_repository, home.name,
    source.digest, source.size, source.manifest, source.subject_digest, p_username, source.extra_attrs, source.annotations, false,
    clock_timestamp() + p_lease)
  ON CONFLICT (repository_id, digest) DO UPDATE SET deleted_at = NULL, keep_until = greatest(x.keep_until, excluded.keep_until)
  RETURNING x.id, x.xmax = 0 INTO v_id, fresh;
  IF fresh THEN
    INSERT INTO artifact_blob_ref (artifact_id, repository_id, digest, blob_digest, link_id)
    SELECT v_id, p_repository, p_digest, f.blob_digest, o.id FROM artifact_blob_ref f
    LEFT JOIN LATERAL (SELECT id FROM artifact_blob WHERE digest = f.blob_digest OFFSET 0) AS b ON true
    LEFT JOIN LATERAL (SELECT id FROM repository_blob WHERE repository_id = p_repository AND blob_id = b.id OFFSET 0) AS o ON true
    WHERE f.artifact_id = source.id;
    FOR l IN SELECT child_digest FROM artifact_reference WHERE artifact_id = source.id ORDER BY child_digest LOOP
      v_child := adopt_child(p_repository, l.child_digest, p_username, p_lease);
      INSERT INTO artifact_reference (artifact_id, repository_id, child_digest, child_id)
      VALUES (v_id, p_repository, l.child_digest, v_child);
    END LOOP;
    INSERT INTO gc_review (kind, target, review_after) VALUES ('artifact', v_id, clock_timestamp() + p_lease);
  END IF;
  RETURN v_id;
END $$;
COMMENT ON FUNCTION adopt_child IS 'A child of an index that lives in a repository below it: a row with the same bytes here, charged there';

CREATE TYPE push AS (n int, repository_id bigint, digest text COLLATE "C", manifest_media_type text, artifact_type text, media_type text,
  type text, size bigint, annotations jsonb, subject text, accessory text, accessory_of text, tags text[], if_match text,
  if_none_match boolean, along text[], numbered boolean, home boolean, curve boolean, username text, address text, request text);
CREATE TYPE push_part AS (n int, digest text COLLATE "C", size bigint, required boolean);
COMMENT ON TYPE push IS 'A manifest to be put, the n-th of its transaction, counted from 1; size is that of its bytes and its blobs; along: those of the tags that move whatever if_match and if_none_match say; numbered: the next vN is to be its tag; home: the repository''s name has four segments, so it may be a curve''s; curve: the manifest is one';
COMMENT ON TYPE push_part IS 'A blob or a child that the n-th manifest names';

CREATE TYPE push_curve AS (n int, well text, well_norm text, well_slug text, aliases jsonb, uwi text, uwi_norm text, api text, operator text,
  field text, country text, lat double precision, lon double precision, frame text, frame_norm text, frame_slug text, mnemonic text,
  mnemonic_norm text, values_id bytea, index_id bytea, dtype text, width int, samples bigint, index_kind text, index_unit text, first_index text,
  last_index text, idx_low numeric, idx_high numeric, step double precision, null_fraction real, description text, family text,
  family_known text, unit text, unit_canonical text, vmin double precision, vmax double precision, vmean double precision,
  vstd double precision, p01 double precision, p05 double precision, p50 double precision, p95 double precision, p99 double precision,
  hist bigint[], wellbore text, run text, pass text, service_company text, acquired date, created timestamptz, operation text,
  message text, tool text, parent_digest text, segments jsonb, inputs jsonb);
COMMENT ON TYPE push_curve IS 'What the catalogue keeps of the n-th manifest, which is a curve''s: core/curves/catalogue.py makes it of manifest and config';

CREATE FUNCTION version_of(p_tag text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_tag ~ '^v[1-9][0-9]{0,8}$' THEN substr(p_tag, 2)::int END
$$;
COMMENT ON FUNCTION version_of IS 'The N of a tag vN, null for any other tag';

CREATE FUNCTION family_of(p_project bigint, p_mnemonic_norm text, p_company text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT m.family FROM (
    (SELECT 0 AS far, * FROM mnemonic_alias WHERE project_id = p_project AND mnemonic_norm = p_mnemonic_norm)
    UNION ALL (SELECT 1, * FROM mnemonic_alias WHERE project_id IS NULL AND mnemonic_norm = p_mnemonic_norm)) AS m
  WHERE m.service_company IS NULL OR m.service_company = p_company
  ORDER BY m.far, m.service_company IS NULL, m.priority DESC LIMIT 1);
END $$;
COMMENT ON FUNCTION family_of IS 'The family that a project, else the registry, gives a mnemonic';

CREATE FUNCTION unit_of(p_project bigint, p_unit text, p_canonical text, p_family text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN CASE WHEN p_canonical <> p_unit THEN p_canonical ELSE coalesce((
    SELECT u.unit_canonical FROM (
      (SELECT 0 AS far, * FROM unit_alias WHERE project_id = p_project AND spelling = p_unit)
      UNION ALL (SELECT 1, * FROM unit_alias WHERE project_id IS NULL AND spelling = p_unit)) AS u
    WHERE u.family IS NULL OR u.family = p_family ORDER BY u.far, u.family IS NULL LIMIT 1), p_canonical) END;
END $$;
COMMENT ON FUNCTION unit_of IS 'The canonical unit as the config has it; where it left the unit as printed, as the project, else the registry, spells it';

CREATE FUNCTION curves_refresh(p_curves bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE curve c SET latest_version_id = f.id, family = f.family, unit = f.unit, unit_canonical = f.unit_canonical, index_kind = f.index_kind,
    samples = f.samples, null_fraction = f.null_fraction, idx_range = f.idx_range, step = f.step, vmin = f.vmin, vmax = f.vmax,
    p50 = f.p50, pushed = f.pushed, verdict = f.verdict, qc_severity = f.qc_severity
  FROM (
    SELECT k.id AS curve, v.* FROM unnest(p_curves) AS k(id) LEFT JOIN LATERAL (SELECT * FROM curve_version WHERE id = coalesce(
      (SELECT CASE WHEN curve_id = k.id AND deleted_at IS NULL THEN id END FROM curve_version
       WHERE id = (SELECT artifact_id FROM tag WHERE repository_id = k.id AND name = 'latest')),
      (SELECT id FROM curve_version WHERE curve_id = k.id AND deleted_at IS NULL
       ORDER BY coalesce(version, id - 4611686018427387904) DESC LIMIT 1)) OFFSET 0
    ) AS v ON true OFFSET 0) AS f
  WHERE c.id = f.curve AND (c.latest_version_id, c.verdict, c.family, c.unit_canonical) IS DISTINCT FROM (f.id, f.verdict, f.family, f.unit_canonical);
END $$;
COMMENT ON FUNCTION curves_refresh IS 'The latest live version of curves, and the copies of it, once tags or versions have changed';

CREATE FUNCTION wells_put(p_curves push_curve[], p_projects bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_wells bigint[]; t record; v_well bigint; v_name text;
BEGIN
  -- most pushes find their well as it is: one look, and no lock
  SELECT array_agg(s.well_id ORDER BY q.n) INTO v_wells FROM unnest(p_curves) AS q
  LEFT JOIN LATERAL (
    SELECT w.id AS well_id FROM well_slug o JOIN well w ON w.id = o.well_id
    WHERE o.project_id = p_projects[q.n] AND o.slug = q.well_slug AND w.name_norm = q.well_norm COLLATE "C"
      AND (q.uwi IS NULL OR w.uwi IS NOT NULL) AND (q.api IS NULL OR w.api IS NOT NULL)
      AND (q.operator IS NULL OR w.operator IS NOT NULL) AND (q.field IS NULL OR w.field IS NOT NULL)
      AND (q.country IS NULL OR w.country IS NOT NULL) AND (q.lat IS NULL OR w.lat IS NOT NULL) AND (q.lon IS NULL OR w.lon IS NOT NULL)
      AND NOT EXISTS (SELECT FROM jsonb_array_elements(q.aliases) AS e(pair)
        WHERE NOT EXISTS (SELECT FROM well_alias x WHERE x.alias_norm = e.pair ->> 1 AND x.well_id = w.id)) OFFSET 0) AS s ON true;
  IF array_position(v_wells, NULL) IS NULL THEN RETURN v_wells; END IF;
  v_wells := '{}';
  FOR t IN SELECT p_projects[q.n] AS project, q.well_norm COLLATE "C" AS norm, (array_agg(q.well ORDER BY q.n))[1] AS name,
      (array_agg(q.uwi ORDER BY q.n) FILTER (WHERE q.uwi IS NOT NULL))[1] AS uwi,
      (array_agg(q.uwi_norm ORDER BY q.n) FILTER (WHERE q.uwi IS NOT NULL))[1] AS uwi_norm,
      (array_agg(q.api ORDER BY q.n) FILTER (WHERE q.api IS NOT NULL))[1] AS api,
      (array_agg(q.operator ORDER BY q.n) FILTER (WHERE q.operator IS NOT NULL))[1] AS operator,
      (array_agg(q.field ORDER BY q.n) FILTER (WHERE q.field IS NOT NULL))[1] AS field,
      (array_agg(q.country ORDER BY q.n) FILTER (WHERE q.country IS NOT NULL))[1] AS country,
      (array_agg(q.lat ORDER BY q.n) FILTER (WHERE q.lat IS NOT NULL))[1] AS lat,
      (array_agg(q.lon ORDER BY q.n) FILTER (WHERE q.lon IS NOT NULL))[1] AS lon
    FROM unnest(p_curves) AS q GROUP BY 1, 2 ORDER BY 1, 2 LOOP
    INSERT INTO well (project_id, name, name_norm, uwi, uwi_norm, api, operator, field, country, lat, lon)
    VALUES (t.project, t.name, t.norm, t.uwi, t.uwi_norm, t.api, t.operator, t.field, t.country, t.lat, t.lon)
    ON CONFLICT (project_id, name_norm) DO NOTHING;
    IF NOT FOUND THEN
      UPDATE well w SET uwi = coalesce(w.uwi, t.uwi), uwi_norm = CASE WHEN w.uwi IS NULL THEN t.uwi_norm ELSE w.uwi_norm END,
        api = coalesce(w.api, t.api), operator = coalesce(w.operator, t.operator), field = coalesce(w.field, t.field),
        country = coalesce(w.country, t.country), lat = coalesce(w.lat, t.lat), lon = coalesce(w.lon, t.lon)
      WHERE w.project_id = t.project AND w.name_norm = t.norm AND (w.uwi IS NULL AND t.uwi IS NOT NULL
        OR w.api IS NULL AND t.api IS NOT NULL OR w.operator IS NULL AND t.operator IS NOT NULL
        OR w.field IS NULL AND t.field IS NOT NULL OR w.country IS NULL AND t.country IS NOT NULL
        OR w.lat IS NULL AND t.lat IS NOT NULL OR w.lon IS NULL AND t.lon IS NOT NULL);
    END IF;
  END LOOP;
  SELECT array_agg((SELECT id FROM well WHERE project_id = p_projects[q.n] AND name_norm = q.well_norm COLLATE "C") ORDER BY q.n)
  INTO v_wells FROM unnest(p_curves) AS q;
  INSERT INTO well_slug (project_id, slug, well_id)
  SELECT DISTINCT ON (p_projects[q.n], q.well_slug COLLATE "C") p_projects[q.n], q.well_slug, w.id
  FROM unnest(p_curves) WITH ORDINALITY AS q JOIN unnest(v_wells) WITH ORDINALITY AS w(id, k) ON w.k = q.ordinality
  ORDER BY p_projects[q.n], q.well_slug COLLATE "C", q.n ON CONFLICT (project_id, slug) DO NOTHING;
  SELECT q.n, q.well, o.name INTO t FROM unnest(p_curves) WITH ORDINALITY AS q
  CROSS JOIN LATERAL (SELECT w.id, w.name FROM well_slug s JOIN well w ON w.id = s.well_id
    WHERE s.project_id = p_projects[q.n] AND s.slug = q.well_slug OFFSET 0) AS o WHERE o.id <> v_wells[q.ordinality] ORDER BY q.n LIMIT 1;
  IF FOUND THEN PERFORM refuse('RG409', 'CURVE_CONFLICT', jsonb_build_object('what', 'well', 'holds', t.name, 'given', t.well)); END IF;
  INSERT INTO well_alias (well_id, alias_norm, alias)
  SELECT DISTINCT ON ((e.pair ->> 1) COLLATE "C", v_wells[q.ordinality]) v_wells[q.ordinality], e.pair ->> 1, e.pair ->> 0
  FROM unnest(p_curves) WITH ORDINALITY AS q CROSS JOIN jsonb_array_elements(q.aliases) AS e(pair)
  ORDER BY (e.pair ->> 1) COLLATE "C", v_wells[q.ordinality], q.n ON CONFLICT DO NOTHING;
  RETURN v_wells;
END $$;
COMMENT ON FUNCTION wells_put IS 'The wells of curves, in the order of the curves: made, or filled in where a version says more of one. Importers of one well wait for each other only while its row is made';

CREATE FUNCTION curves_put(p_curves push_curve[], p_artifacts bigint[], p_repositories bigint[], p_projects bigint[], p_numbers int[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_wells bigint[]; t record;
BEGIN
  SELECT q.n, q.well, q.frame, q.mnemonic, o.* INTO t FROM unnest(p_curves) AS q CROSS JOIN LATERAL (
    SELECT c.frame AS held_frame, c.frame_norm, c.mnemonic AS held_mnemonic, c.mnemonic_norm, w.name AS held_well, w.name_norm
    FROM curve c JOIN well w ON w.id = c.well_id WHERE c.id = p_repositories[q.n] OFFSET 0) AS o
  WHERE (o.name_norm, o.frame_norm, o.mnemonic_norm) <> (q.well_norm COLLATE "C", q.frame_norm COLLATE "C", q.mnemonic_norm COLLATE "C")
  ORDER BY q.n LIMIT 1;
  IF FOUND THEN
    PERFORM refuse('RG409', 'CURVE_CONFLICT', jsonb_build_object('what', 'curve', 'holds',
      format('%s of %s in %s', t.held_mnemonic, t.held_frame, t.held_well), 'given', format('%s of %s in %s', t.mnemonic, t.frame, t.well)));
  END IF;
  v_wells := wells_put(p_curves, p_projects);
  SELECT q.n, q.frame, o.frame AS held INTO t FROM unnest(p_curves) WITH ORDINALITY AS q CROSS JOIN LATERAL (
    (SELECT frame FROM curve WHERE well_id = v_wells[q.ordinality] AND frame_slug = q.frame_slug
      AND frame_norm < q.frame_norm COLLATE "C" LIMIT 1)
    UNION ALL (SELECT frame FROM curve WHERE well_id = v_wells[q.ordinality] AND frame_slug = q.frame_slug
      AND frame_norm > q.frame_norm COLLATE "C" LIMIT 1)) AS o
  WHERE NOT EXISTS (SELECT FROM curve WHERE id = p_repositories[q.n]) ORDER BY q.n LIMIT 1;
  IF FOUND THEN PERFORM refuse('RG409', 'CURVE_CONFLICT', jsonb_build_object('what', 'frame', 'holds', t.held, 'given', t.frame)); END IF;
  WITH said AS MATERIALIZED (
    SELECT q.*, a.push_time, a.pushed_by, p_artifacts[q.n] AS id, p_repositories[q.n] AS curve_id, v_wells[q.ordinality] AS well_id,
      CASE WHEN q.idx_low IS NOT NULL THEN numrange(q.idx_low, q.idx_high, '[]') END AS idx_range, f.called,
      unit_of(p_projects[q.n], q.unit, q.unit_canonical, f.called) AS canonical
    FROM unnest(p_curves) WITH ORDINALITY AS q
    CROSS JOIN LATERAL (SELECT push_time, pushed_by FROM artifact WHERE id = p_artifacts[q.n] OFFSET 0) AS a
    CROSS JOIN LATERAL (SELECT coalesce(q.family, family_of(p_projects[q.n], q.mnemonic_norm, q.service_company), q.family_known)
      AS called OFFSET 0) AS f),
  homes AS (  -- the only version of a new curve is its latest
    INSERT INTO curve (id, project_id, well_id, frame, frame_norm, frame_slug, mnemonic, mnemonic_norm, latest_version_id, family, unit,
      unit_canonical, index_kind, samples, null_fraction, idx_range, step, vmin, vmax, p50, pushed, verdict)
    SELECT DISTINCT ON (q.curve_id) q.curve_id, p_projects[q.n], q.well_id, q.frame, q.frame_norm, q.frame_slug, q.mnemonic,
      q.mnemonic_norm, q.id, q.called, q.unit, q.canonical, q.index_kind, q.samples, q.null_fraction, q.idx_range, q.step, q.vmin,
      q.vmax, q.p50, q.push_time, 'pending' FROM said q ORDER BY q.curve_id, q.id ON CONFLICT (id) DO NOTHING)
  INSERT INTO curve_version AS v (id, curve_id, project_id, version, values_id, index_id, dtype, width, samples, index_kind, index_unit,
    first_index, last_index, idx_range, step, null_fraction, description, family, unit, unit_canonical, vmin, vmax, vmean, vstd, p01, p05, p50, p95,
    p99, hist, wellbore, run, pass, service_company, acquired, created, pushed, author, operation, message, tool, parent_digest)
  SELECT q.id, q.curve_id, p_projects[q.n], p_numbers[q.n], q.values_id, q.index_id, q.dtype, q.width, q.samples, q.index_kind, q.index_unit,
    q.first_index, q.last_index, q.idx_range, q.step, q.null_fraction, q.description, q.called, q.unit, q.canonical, q.vmin, q.vmax,
    q.vmean, q.vstd, q.p01, q.p05, q.p50, q.p95, q.p99, q.hist, q.wellbore, q.run, q.pass, q.service_company, q.acquired,
    coalesce(q.created, q.push_time), q.push_time, q.pushed_by, q.operation, q.message, q.tool, q.parent_digest
  FROM said q ORDER BY q.id
  ON CONFLICT (id) DO UPDATE SET deleted_at = NULL, version = coalesce(v.version, excluded.version), changed = clock_timestamp()
    WHERE v.deleted_at IS NOT NULL OR v.version IS NULL AND excluded.version IS NOT NULL;
  INSERT INTO segment (content_id, blob_digest, dtype, width)
  SELECT DISTINCT decode(e.pair ->> 0, 'hex') AS content, (e.pair ->> 1) COLLATE "C" AS blob, q.dtype, q.width
  FROM unnest(p_curves) AS q CROSS JOIN jsonb_array_elements(q.segments) AS e(pair) ORDER BY content, blob ON CONFLICT DO NOTHING;
  INSERT INTO lineage (version_id, ref, role, input_digest)
  SELECT DISTINCT p_artifacts[q.n], e.pair ->> 0, e.pair ->> 1, e.pair ->> 2
  FROM unnest(p_curves) AS q CROSS JOIN jsonb_array_elements(q.inputs) AS e(pair) ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION curves_put IS 'The catalogue''s rows of curves: well, curve, version, segments, lineage, in this order of locks; the caller holds the repositories. A repository that holds another curve, or a well''s or frame''s segment another name, refuses';

CREATE FUNCTION versions_number(p_pushes push[], p_homes bigint[], p_artifacts bigint[]) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE v_numbers int[] := array_fill(NULL::int, ARRAY[cardinality(p_artifacts)]); t record; v_number int;
BEGIN
  FOR t IN SELECT q.n, q.repository_id, q.numbered, p_artifacts[q.n] AS artifact, (SELECT min(version_of(u.name)) FROM unnest(q.tags) AS u(name)) AS given
           FROM unnest(p_pushes) AS q WHERE q.numbered OR q.repository_id = ANY (p_homes) ORDER BY q.n LOOP
    v_number := coalesce((SELECT version FROM curve_version WHERE id = t.artifact),
      (SELECT min(version_of(name)) FROM tag WHERE artifact_id = t.artifact), t.given);
    IF v_number IS NULL AND t.numbered THEN
      UPDATE repository SET last_version = last_version + 1 WHERE repository_id = t.repository_id AND last_version < 999999999
      RETURNING last_version INTO v_number;
      IF NOT FOUND THEN PERFORM refuse('RG409', 'VERSIONS_USED'); END IF;
    END IF;
    v_numbers[t.n] := v_number;
  END LOOP;
  RETURN v_numbers;
END $$;
COMMENT ON FUNCTION versions_number IS 'The number of each push that has or wants one. The caller holds the repositories, so none is given twice and none is left out';

CREATE FUNCTION manifests_put(p_pushes jsonb, p_manifests bytea[], p_blobs jsonb, p_children jsonb, p_curves jsonb, p_lease interval)
RETURNS TABLE (artifact_id bigint, absent bigint, version int, warning jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_until timestamptz := clock_timestamp() + p_lease; pushes push[]; repositories bigint[]; projects bigint[]; names text[]; sparse boolean[];
  digests text[]; users text[]; ids bigint[]; fresh boolean[]; owed boolean[]; l_n int[]; l_digest text[]; l_link bigint[]; k_n int[] := '{}'; k_digest text[] := '{}';
  k_id bigint[] := '{}'; v_kid bigint; lacking int[]; missing text[]; wrong jsonb;
  curves push_curve[]; c_n int[]; homes bigint[]; numbered boolean; numbers int[]; m_id bigint[]; m_name text[]; warned jsonb := '{}'; t record; g record;
BEGIN
  SELECT array_agg(q ORDER BY q.n), array_agg(q.repository_id ORDER BY q.n), array_agg(q.digest ORDER BY q.n),
    array_agg(q.username ORDER BY q.n), array_agg(h.project_id ORDER BY q.n), array_agg(h.name ORDER BY q.n), array_agg(h.sparse ORDER BY q.n)
  INTO pushes, repositories, digests, users, projects, names, sparse
  FROM jsonb_populate_recordset(NULL::push, p_pushes) AS q CROSS JOIN LATERAL (
    SELECT r.project_id, r.name, p.sparse FROM repository r JOIN project p ON p.project_id = r.project_id AND NOT p.deleted
    WHERE r.repository_id = q.repository_id OFFSET 0) AS h;
  IF cardinality(pushes) IS DISTINCT FROM cardinality(p_manifests) THEN PERFORM refuse('RG404', 'NAME_UNKNOWN'); END IF;
  -- 1. links, in digest order
  SELECT array_agg(q.n), array_agg(q.digest), array_agg(l.id), array_agg(q.n) FILTER (WHERE l.id IS NULL AND q.required),
    array_agg(q.digest) FILTER (WHERE l.id IS NULL AND q.required AND NOT sparse[q.n]),
    jsonb_agg(q.digest) FILTER (WHERE l.id IS NOT NULL AND b.size <> q.size)
  INTO l_n, l_digest, l_link, lacking, missing, wrong
  FROM (SELECT * FROM jsonb_populate_recordset(NULL::push_part, p_blobs) ORDER BY digest OFFSET 0) AS q
  LEFT JOIN LATERAL (SELECT id, size FROM artifact_blob WHERE digest = q.digest AND state = 'live' OFFSET 0) AS b ON true
  LEFT JOIN LATERAL (SELECT id FROM repository_blob
    WHERE repository_id = repositories[q.n] AND blob_id = b.id AND NOT hidden OFFSET 0 FOR KEY SHARE) AS l ON true;
  IF missing IS NOT NULL THEN PERFORM refuse('RG404', 'MANIFEST_BLOB_UNKNOWN', to_jsonb(missing)); END IF;
  IF wrong IS NOT NULL THEN PERFORM refuse('RG400', 'SIZE_INVALID', wrong); END IF;
  -- 2. children, in digest order; one that lives in a repository below gets a row here
  FOR t IN SELECT * FROM jsonb_populate_recordset(NULL::push_part, p_children) ORDER BY digest, repositories[n] LOOP
    SELECT a.id INTO v_kid FROM artifact a
    WHERE a.repository_id = repositories[t.n] AND a.digest = t.digest AND a.deleted_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN v_kid := adopt_child(repositories[t.n], t.digest, users[t.n], p_lease); END IF;
    k_n := k_n || t.n; k_digest := k_digest || t.digest; k_id := k_id || v_kid;
    IF v_kid IS NULL THEN
      lacking := lacking || t.n;
      IF NOT sparse[t.n] THEN missing := missing || t.digest; END IF;
    ELSE
      PERFORM 1 FROM artifact a WHERE a.id = v_kid AND octet_length(a.manifest) <> t.size;
      IF FOUND THEN PERFORM refuse('RG400', 'SIZE_INVALID', to_jsonb(ARRAY[t.digest])); END IF;
    END IF;
  END LOOP;
  IF missing IS NOT NULL THEN PERFORM refuse('RG404', 'MANIFEST_BLOB_UNKNOWN', to_jsonb(missing)); END IF;
  -- 3. artifacts: made, brought back, or there already
  WITH made AS (
    INSERT INTO artifact AS x (type, media_type, manifest_media_type, artifact_type, project_id, repository_id, repository_name, digest,
      size, manifest, subject_digest, pushed_by, annotations, keep_until)
    SELECT q.type, q.media_type, q.manifest_media_type, q.artifact_type, projects[q.n], q.repository_id, names[q.n], q.digest,
      q.size + coalesce((SELECT sum(a.size) FROM unnest(k_n, k_id) AS k(n, id) JOIN artifact a ON a.id = k.id WHERE k.n = q.n), 0),
      p_manifests[q.n], q.subject, q.username, q.annotations, v_until
    FROM unnest(pushes) AS q ORDER BY q.repository_id, q.digest
    ON CONFLICT (repository_id, digest) DO UPDATE SET deleted_at = NULL, keep_until = greatest(x.keep_until, excluded.keep_until)
    RETURNING x.id, x.repository_id, x.digest, x.xmax = 0 AS fresh, x.xmax = 0 OR NOT x.charged AS owed)
  SELECT array_agg(m.id ORDER BY q.n), array_agg(m.fresh ORDER BY q.n), array_agg(m.owed ORDER BY q.n) INTO ids, fresh, owed
  FROM made m JOIN unnest(repositories, digests) WITH ORDINALITY AS q(repository, digest, n)
    ON q.repository = m.repository_id AND q.digest = m.digest;
  IF fresh <> owed THEN  -- a copy made for an index is pushed for its own sake
    UPDATE artifact SET charged = true WHERE id IN (SELECT q.id FROM unnest(ids, fresh, owed) AS q(id, fresh, owed) WHERE q.owed AND NOT q.fresh);
  END IF;
  INSERT INTO artifact_blob_ref (artifact_id, repository_id, digest, blob_digest, link_id)
  SELECT ids[l.n], repositories[l.n], digests[l.n], l.digest, l.link FROM unnest(l_n, l_digest, l_link) AS l(n, digest, link) WHERE fresh[l.n];
  IF cardinality(k_n) > 0 THEN  -- also when the index was there: a sparse project's child may have come since
    INSERT INTO artifact_reference AS f (artifact_id, repository_id, child_digest, child_id)
    SELECT ids[k.n], repositories[k.n], k.digest, k.id FROM unnest(k_n, k_digest, k_id) AS k(n, digest, id)
    ON CONFLICT (artifact_id, child_digest) DO UPDATE SET child_id = excluded.child_id WHERE f.child_id IS NULL;
  END IF;
  FOR t IN SELECT w.*, q.id FROM unnest(repositories, digests, ids, fresh) AS q(repository, digest, id, fresh)
           CROSS JOIN LATERAL (
             (SELECT artifact_id, child_digest, NULL::bigint AS accessory FROM artifact_reference
              WHERE repository_id = q.repository AND child_digest = q.digest AND child_id IS NULL OFFSET 0)
             UNION ALL
             (SELECT NULL, NULL, id FROM artifact_accessory
              WHERE repository_id = q.repository AND subject_artifact_digest = q.digest AND subject_artifact_id IS NULL OFFSET 0)) AS w
           WHERE q.fresh LOOP
    UPDATE artifact_reference SET child_id = t.id WHERE artifact_id = t.artifact_id AND child_digest = t.child_digest;
    UPDATE artifact_accessory SET subject_artifact_id = t.id WHERE id = t.accessory;
  END LOOP;
  FOR t IN SELECT * FROM unnest(pushes) AS q WHERE q.accessory IS NOT NULL ORDER BY q.n LOOP
    SELECT a.id INTO v_kid FROM artifact a
    WHERE a.repository_id = t.repository_id AND a.digest = t.accessory_of AND a.deleted_at IS NULL FOR KEY SHARE;
    INSERT INTO artifact_accessory (artifact_id, repository_id, subject_artifact_id, digest, subject_artifact_digest, type, size)
    SELECT ids[t.n], t.repository_id, v_kid, t.digest, t.accessory_of, t.accessory, a.size FROM artifact a WHERE a.id = ids[t.n]
    ON CONFLICT (artifact_id) DO NOTHING;
  END LOOP;
  -- 4. repositories, in their order; under their locks what is counted and catalogued in them
  FOR t IN SELECT q.repository_id AS id, max(version_of(u.name)) AS version FROM unnest(pushes) AS q LEFT JOIN unnest(q.tags) AS u(name) ON true
           GROUP BY 1 ORDER BY 1 LOOP
    UPDATE repository SET update_time = clock_timestamp(), last_version = greatest(last_version, t.version), deleted_at = NULL
    WHERE repository_id = t.id;
  END LOOP;
  SELECT array_agg(DISTINCT q.repository_id) FILTER (WHERE q.curve OR q.home AND EXISTS (SELECT FROM curve WHERE id = q.repository_id)),
    bool_or(q.numbered) INTO homes, numbered FROM unnest(pushes) AS q;
  IF homes IS NOT NULL OR numbered THEN
    numbers := versions_number(pushes, homes, ids);
    SELECT array_agg(c.n), array_agg(c ORDER BY c.n) FILTER (WHERE fresh[c.n] OR NOT EXISTS (  -- all else is as it was
      SELECT FROM curve_version v WHERE v.id = ids[c.n] AND v.deleted_at IS NULL AND v.version IS NOT DISTINCT FROM numbers[c.n]))
    INTO c_n, curves FROM jsonb_populate_recordset(NULL::push_curve, p_curves) AS c;
    SELECT u.name, h.digest INTO t FROM unnest(pushes) AS q CROSS JOIN unnest(q.tags) AS u(name) CROSS JOIN LATERAL (
      SELECT to_digest AS digest FROM tag_history WHERE repository_id = q.repository_id AND name = u.name AND to_digest <> q.digest LIMIT 1) AS h
    WHERE q.repository_id = ANY (homes) AND version_of(u.name) IS NOT NULL LIMIT 1;
    IF FOUND THEN PERFORM refuse('RG409', 'VERSION_TAKEN', jsonb_build_object('tag', t.name, 'digest', t.digest)); END IF;
    IF curves IS NOT NULL THEN PERFORM curves_put(curves, ids, repositories, projects, numbers); END IF;
    FOR t IN SELECT q.n, 'v' || numbers[q.n] AS name FROM unnest(pushes) AS q
             WHERE q.numbered AND 'v' || numbers[q.n] <> ALL (q.tags) ORDER BY q.repository_id, q.n LOOP
      INSERT INTO tag (repository_id, artifact_id, name, push_time) VALUES (repositories[t.n], ids[t.n], t.name, clock_timestamp())
      ON CONFLICT (repository_id, name) DO NOTHING;
      IF FOUND THEN
        INSERT INTO tag_history (repository_id, name, to_digest, username) VALUES (repositories[t.n], t.name, digests[t.n], users[t.n]);
      END IF;
    END LOOP;
  END IF;
  -- 5. tags: those that are new, then those that are there, each by name and under its row's lock
  WITH made AS (
    INSERT INTO tag AS m (repository_id, artifact_id, name, push_time)
    SELECT q.repository_id, ids[q.n], u.name, clock_timestamp() FROM unnest(pushes) AS q CROSS JOIN unnest(q.tags) AS u(name)
    WHERE q.if_match IS NULL OR u.name = ANY (q.along) ORDER BY q.repository_id, u.name COLLATE "C"
    ON CONFLICT (repository_id, name) DO NOTHING RETURNING m.repository_id, m.artifact_id, m.name),
  noted AS (
    INSERT INTO tag_history (repository_id, name, to_digest, username)
    SELECT m.repository_id, m.name, digests[p.n], users[p.n] FROM made m CROSS JOIN LATERAL array_position(ids, m.artifact_id) AS p(n))
  SELECT array_agg(m.artifact_id), array_agg(m.name) INTO m_id, m_name FROM made m;
  FOR t IN SELECT p.n, x.name, CASE WHEN NOT c.along THEN q.if_match END AS if_match, q.if_none_match AND NOT c.along AS if_none_match FROM (
             SELECT ids[q.n] AS id, u.name COLLATE "C" AS name FROM unnest(pushes) AS q CROSS JOIN unnest(q.tags) AS u(name)
             EXCEPT SELECT u.id, u.name FROM unnest(m_id, m_name) AS u(id, name)) AS x
           CROSS JOIN LATERAL array_position(ids, x.id) AS p(n) JOIN unnest(pushes) AS q ON q.n = p.n
           CROSS JOIN LATERAL coalesce(x.name = ANY (q.along), false) AS c(along)
           ORDER BY repositories[p.n], x.name LOOP
    LOOP
      SELECT o.id, o.artifact_id AS target, a.digest INTO g FROM tag o JOIN artifact a ON a.id = o.artifact_id
      WHERE o.repository_id = repositories[t.n] AND o.name = t.name FOR UPDATE OF o;
      IF FOUND THEN
        IF t.if_none_match OR t.if_match NOT IN ('*', g.digest) THEN
          PERFORM refuse('RG412', 'PRECONDITION', jsonb_build_object('tag', t.name, 'digest', g.digest));
        END IF;
        UPDATE tag SET artifact_id = ids[t.n], push_time = clock_timestamp() WHERE id = g.id;
        IF g.target <> ids[t.n] THEN
          INSERT INTO tag_history (repository_id, name, from_digest, to_digest, username)
          VALUES (repositories[t.n], t.name, g.digest, digests[t.n], users[t.n]);
          INSERT INTO gc_review (kind, target, review_after) VALUES ('artifact', g.target, v_until);
        END IF;
        EXIT;
      END IF;
      IF t.if_match IS NOT NULL THEN
        PERFORM refuse('RG412', 'PRECONDITION', jsonb_build_object('tag', t.name, 'digest', NULL));
      END IF;
      INSERT INTO tag (repository_id, artifact_id, name, push_time) VALUES (repositories[t.n], ids[t.n], t.name, clock_timestamp())
      ON CONFLICT (repository_id, name) DO NOTHING;
      IF FOUND THEN
        INSERT INTO tag_history (repository_id, name, to_digest, username) VALUES (repositories[t.n], t.name, digests[t.n], users[t.n]);
        EXIT;
      END IF;  -- else another push made it just now: look again
    END LOOP;
  END LOOP;
  IF homes IS NOT NULL THEN PERFORM curves_refresh(homes); END IF;
  INSERT INTO gc_review (kind, target, review_after)
  SELECT 'artifact', ids[q.n], v_until FROM unnest(pushes) AS q WHERE fresh[q.n] AND cardinality(q.tags) = 0 AND NOT q.numbered;
  -- 6. what follows from it, who did it, and last what it costs
  INSERT INTO event (kind, project_id, repository_id, artifact_id, username, payload)
  SELECT 'artifact.pushed', projects[q.n], q.repository_id, ids[q.n], q.username,
    jsonb_build_object('digest', q.digest, 'tags', CASE WHEN q.numbered AND 'v' || numbers[q.n] <> ALL (q.tags) THEN q.tags || ('v' || numbers[q.n]) ELSE q.tags END,
      'fresh', fresh[q.n], 'type', q.type, 'catalogued', coalesce(q.n = ANY (c_n), false)) FROM unnest(pushes) AS q ORDER BY q.n;
  INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource, address, request_id)
  SELECT q.username, projects[q.n], names[q.n], coalesce(q.tags[1], ''), 'push', q.digest, q.address, q.request
  FROM unnest(pushes) AS q ORDER BY q.n;
  FOR t IN SELECT projects[q.n] AS project, sum(octet_length(p_manifests[q.n])) AS bytes, count(*)::int AS artifacts
           FROM generate_subscripts(ids, 1) AS q(n) WHERE owed[q.n] GROUP BY 1 ORDER BY 1 LOOP
    warned := warned || jsonb_build_object(t.project, charge_project(t.project, t.bytes, t.artifacts));
  END LOOP;
  RETURN QUERY SELECT u.id, (SELECT count(*) FROM unnest(lacking) AS l(n) WHERE l.n = u.n), numbers[u.n], nullif(warned -> projects[u.n]::text, 'null')
               FROM unnest(ids) WITH ORDINALITY AS u(id, n) ORDER BY u.n;
END $$;
COMMENT ON FUNCTION manifests_put IS 'Pushes of manifests that share no artifact and no tag: references, versions and catalogue, tags, accessories, history, events, audit and charge, in the lock order of reliability 3.2.3, the repository before its tags';

CREATE FUNCTION labelled(p_artifact bigint, p_names jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT NOT EXISTS (SELECT FROM jsonb_array_elements_text(p_names) AS n(name) WHERE NOT EXISTS (
    SELECT FROM artifact_label l JOIN label b ON b.id = l.label_id WHERE l.artifact_id = p_artifact AND b.name = n.name))
$$;
COMMENT ON FUNCTION labelled IS 'Whether an artifact carries all labels of these names';

CREATE FUNCTION immutable_by(p_project bigint, p_repository text, p_tag text, p_artifact bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT r.id FROM immutable_rule r
  WHERE r.project_id = p_project AND r.enabled
    AND NOT EXISTS (SELECT FROM jsonb_array_elements(r.repositories) AS s
      WHERE (substr(p_repository, strpos(p_repository, '/') + 1) ~ (s ->> 're')) = (s ->> 'not')::boolean)
    AND NOT EXISTS (SELECT FROM jsonb_array_elements(r.tags) AS s
      WHERE CASE WHEN s ? 're' THEN p_tag ~ (s ->> 're') ELSE labelled(p_artifact, s -> 'labels') END = (s ->> 'not')::boolean)
  ORDER BY r.id LIMIT 1
$$;
COMMENT ON FUNCTION immutable_by IS 'The rule that keeps a tag where it is, null where none does';

CREATE FUNCTION held_by(p_project bigint, p_repository bigint, p_artifact bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT min(id) FROM (  -- OFFSET 0: else the least id is looked for among all
    (SELECT id FROM hold WHERE artifact_id = p_artifact OFFSET 0)
    UNION ALL (SELECT id FROM hold WHERE project_id = p_project AND repository_id = p_repository AND artifact_id IS NULL OFFSET 0)
    UNION ALL (SELECT id FROM hold WHERE project_id = p_project AND repository_id IS NULL OFFSET 0)) AS h
$$;
COMMENT ON FUNCTION held_by IS 'The hold that covers an artifact (or with nulls a repository or project itself), null where none does';

CREATE FUNCTION guard_tag() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE r repository; v_id bigint;
BEGIN
  SELECT * INTO r FROM repository WHERE repository_id = OLD.repository_id;
  IF coalesce(current_setting('dataforge.expiring', true), '') <> 'on' THEN  -- retention, where a policy says that also these go
    PERFORM 1 FROM immutable_rule WHERE project_id = r.project_id AND enabled LIMIT 1;
    IF FOUND THEN
      v_id := immutable_by(r.project_id, r.name, OLD.name, OLD.artifact_id);
      IF v_id IS NOT NULL THEN
        PERFORM refuse('RG412', 'TAG_IMMUTABLE', jsonb_build_object('repository', r.name, 'tag', OLD.name, 'rule', v_id));
      END IF;
    END IF;
  END IF;
  IF TG_OP = 'UPDATE' THEN RETURN NEW; END IF;
  v_id := held_by(r.project_id, r.repository_id, OLD.artifact_id);
  IF v_id IS NOT NULL THEN PERFORM refuse('RG412', 'HELD', jsonb_build_object('hold', v_id, 'reason', (SELECT reason FROM hold WHERE id = v_id))); END IF;
  RETURN OLD;
END $$;
COMMENT ON FUNCTION guard_tag IS 'No path moves or removes an immutable tag, or removes a tag of what is held';

CREATE TRIGGER guard_moved_tag BEFORE UPDATE OF artifact_id ON tag FOR EACH ROW WHEN (OLD.artifact_id <> NEW.artifact_id) EXECUTE FUNCTION guard_tag();
CREATE TRIGGER guard_removed_tag BEFORE DELETE ON tag FOR EACH ROW EXECUTE FUNCTION guard_tag();

CREATE FUNCTION guard_artifact() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE v_id bigint; t record;
BEGIN
  v_id := held_by(OLD.project_id, OLD.repository_id, OLD.id);
  IF v_id IS NOT NULL THEN PERFORM refuse('RG412', 'HELD', jsonb_build_object('hold', v_id, 'reason', (SELECT reason FROM hold WHERE id = v_id))); END IF;
  -- a sparse project lets a child of a live index go, but not of one that may not change or go itself
  FOR t IN WITH RECURSIVE above AS (
      SELECT f.artifact_id AS id FROM artifact_reference f WHERE f.child_id = OLD.id
      UNION SELECT f.artifact_id FROM above JOIN artifact_reference f ON f.child_id = above.id)
    SELECT a.id, a.repository_name, g.name FROM above JOIN artifact a ON a.id = above.id LEFT JOIN tag g ON g.artifact_id = a.id
    WHERE a.deleted_at IS NULL LOOP
    v_id := held_by(OLD.project_id, OLD.repository_id, t.id);
    IF v_id IS NOT NULL THEN PERFORM refuse('RG412', 'HELD', jsonb_build_object('hold', v_id, 'reason', (SELECT reason FROM hold WHERE id = v_id))); END IF;
    v_id := immutable_by(OLD.project_id, t.repository_name, t.name, t.id);
    IF t.name IS NOT NULL AND v_id IS NOT NULL THEN
      PERFORM refuse('RG412', 'TAG_IMMUTABLE', jsonb_build_object('repository', t.repository_name, 'tag', t.name, 'rule', v_id));
    END IF;
  END LOOP;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION guard_artifact IS 'No path deletes what is held, or a child of an index that is held or has an immutable tag';

CREATE TRIGGER guard_deleted_artifact BEFORE UPDATE OF deleted_at ON artifact FOR EACH ROW
WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION guard_artifact();

CREATE FUNCTION guard_project() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE v_id bigint := (SELECT min(id) FROM hold WHERE project_id = OLD.project_id);
BEGIN
  IF v_id IS NOT NULL THEN PERFORM refuse('RG412', 'HELD', jsonb_build_object('hold', v_id, 'reason', (SELECT reason FROM hold WHERE id = v_id))); END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION guard_project IS 'A project goes only without holds';

CREATE TRIGGER guard_deleted_project BEFORE UPDATE OF deleted ON project FOR EACH ROW
WHEN (NEW.deleted AND NOT OLD.deleted) EXECUTE FUNCTION guard_project();

CREATE FUNCTION artifact_delete(p_repository bigint, p_digest text, p_undo interval, p_username text, p_address text, p_request text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE a artifact; v_sparse boolean; v_tags text[]; v_now timestamptz := clock_timestamp();
BEGIN
  SELECT * INTO a FROM artifact WHERE repository_id = p_repository AND digest = p_digest AND deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN PERFORM refuse('RG404', 'MANIFEST_UNKNOWN'); END IF;
  SELECT sparse INTO v_sparse FROM project WHERE project_id = a.project_id;
  PERFORM 1 FROM artifact_reference f JOIN artifact x ON x.id = f.artifact_id
  WHERE f.child_id = a.id AND x.deleted_at IS NULL LIMIT 1;
  IF FOUND AND NOT v_sparse THEN PERFORM refuse('RG405', 'MANIFEST_REFERENCED'); END IF;
  PERFORM 1 FROM repository WHERE repository_id = p_repository FOR NO KEY UPDATE;
  PERFORM 1 FROM tag WHERE artifact_id = a.id ORDER BY name FOR UPDATE;
  WITH dropped AS (DELETE FROM tag WHERE artifact_id = a.id RETURNING name),
       noted AS (INSERT INTO tag_history (repository_id, name, from_digest, username)
                 SELECT p_repository, name, p_digest, p_username FROM dropped)
  SELECT array_agg(name) INTO v_tags FROM dropped;
  UPDATE artifact SET deleted_at = v_now, keep_until = v_now + p_undo WHERE id = a.id;
  UPDATE curve_version SET deleted_at = v_now, changed = v_now WHERE id = a.id;
  PERFORM curves_refresh(ARRAY[p_repository]);
  INSERT INTO gc_review (kind, target, review_after) VALUES ('artifact', a.id, clock_timestamp() + p_undo);
  INSERT INTO event (kind, project_id, repository_id, artifact_id, username, payload)
  VALUES ('artifact.deleted', a.project_id, p_repository, a.id, p_username, jsonb_build_object('digest', p_digest, 'tags', v_tags));
  INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource, address, request_id)
  VALUES (p_username, a.project_id, a.repository_name, coalesce(v_tags[1], ''), 'delete', p_digest, p_address, p_request);
END $$;
COMMENT ON FUNCTION artifact_delete IS 'DELETE of a manifest by digest: its tags go, the row stays until the undo window ends';

CREATE FUNCTION tag_delete(p_repository bigint, p_name text, p_lease interval, p_username text, p_address text, p_request text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE t record;
BEGIN
  PERFORM 1 FROM repository WHERE repository_id = p_repository FOR NO KEY UPDATE;
  SELECT g.id, a.id AS target, a.digest, a.project_id, a.repository_name INTO t FROM tag g JOIN artifact a ON a.id = g.artifact_id
  WHERE g.repository_id = p_repository AND g.name = p_name FOR UPDATE OF g;
  IF NOT FOUND THEN PERFORM refuse('RG404', 'MANIFEST_UNKNOWN'); END IF;
  DELETE FROM tag WHERE id = t.id;
  PERFORM curves_refresh(ARRAY[p_repository]);
  INSERT INTO tag_history (repository_id, name, from_digest, username) VALUES (p_repository, p_name, t.digest, p_username);
  INSERT INTO gc_review (kind, target, review_after) VALUES ('artifact', t.target, clock_timestamp() + p_lease);
  INSERT INTO event (kind, project_id, repository_id, artifact_id, username, payload)
  VALUES ('tag.deleted', t.project_id, p_repository, t.target, p_username, jsonb_build_object('digest', t.digest, 'tag', p_name));
  INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource_type, resource, address, request_id)
  VALUES (p_username, t.project_id, t.repository_name, p_name, 'delete', 'tag', t.digest, p_address, p_request);
END $$;
COMMENT ON FUNCTION tag_delete IS 'DELETE of a tag: only the name goes';

CREATE FUNCTION retention_remove(p_execution bigint, p_late boolean, p_limit int, p_pulls boolean, p_undo interval, p_username text,
                                 OUT taken int, OUT removed int) LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := clock_timestamp(); v_since timestamptz; v_ids bigint[]; v_locked bigint[]; v_gone bigint[]; v_homes bigint[];
BEGIN
  PERFORM set_config('dataforge.expiring', 'on', true);  -- what is immutable is looked at below, by what the policy says of it
  SELECT min(computed_at) INTO v_since FROM retention_task WHERE execution_id = p_execution;
  SELECT coalesce(array_agg(artifact_id), '{}') INTO v_ids FROM (
    SELECT artifact_id FROM retention_pick WHERE execution_id = p_execution AND late = p_late AND state = 'picked'
    ORDER BY artifact_id DESC LIMIT p_limit) AS q;
  taken := cardinality(v_ids); removed := 0;
  IF taken = 0 THEN RETURN; END IF;
  -- lock in one statement, look in the next; in the order in which pushes lock
  SELECT coalesce(array_agg(id), '{}') INTO v_locked FROM (
    SELECT id FROM artifact WHERE id = ANY (v_ids) AND deleted_at IS NULL ORDER BY repository_id, digest FOR UPDATE) AS l;
  SELECT coalesce(array_agg(a.id), '{}'), array_agg(DISTINCT a.repository_id) INTO v_gone, v_homes
  FROM retention_pick q JOIN artifact a ON a.id = q.artifact_id
  WHERE q.execution_id = p_execution AND q.artifact_id = ANY (v_locked)
    AND NOT EXISTS (SELECT FROM tag WHERE artifact_id = a.id AND push_time > v_since OFFSET 0)
    AND NOT (p_pulls AND coalesce(a.pull_time > v_since, false))
    AND (a.keep_until <= v_now OR EXISTS (SELECT FROM tag WHERE artifact_id = a.id OFFSET 0))
    AND NOT EXISTS (SELECT FROM artifact_reference f JOIN artifact x ON x.id = f.artifact_id WHERE f.child_id = a.id AND x.deleted_at IS NULL OFFSET 0)
    AND NOT EXISTS (SELECT FROM artifact_accessory c JOIN artifact x ON x.id = c.subject_artifact_id WHERE c.artifact_id = a.id AND x.deleted_at IS NULL OFFSET 0)
    AND held_by(a.project_id, a.repository_id, a.id) IS NULL
    AND (q.expires OR NOT EXISTS (SELECT FROM tag g WHERE g.artifact_id = a.id AND immutable_by(a.project_id, a.repository_name, g.name, a.id) IS NOT NULL OFFSET 0));
  UPDATE retention_pick SET state = CASE WHEN artifact_id = ANY (v_gone) THEN 'removed' ELSE 'kept' END
  WHERE execution_id = p_execution AND artifact_id = ANY (v_ids);
  removed := cardinality(v_gone);
  IF removed = 0 THEN RETURN; END IF;
  PERFORM 1 FROM repository WHERE repository_id = ANY (v_homes) ORDER BY repository_id FOR NO KEY UPDATE;
  PERFORM 1 FROM tag WHERE artifact_id = ANY (v_gone) ORDER BY repository_id, name FOR UPDATE;
  WITH dropped AS (DELETE FROM tag WHERE artifact_id = ANY (v_gone) RETURNING repository_id, artifact_id, name)
  INSERT INTO tag_history (repository_id, name, from_digest, username, op_time)
  SELECT d.repository_id, d.name, a.digest, p_username, clock_timestamp() FROM dropped d JOIN artifact a ON a.id = d.artifact_id ORDER BY d.repository_id, d.name;
  UPDATE artifact SET deleted_at = v_now, keep_until = v_now + p_undo WHERE id = ANY (v_gone);
  UPDATE curve_version SET deleted_at = v_now, changed = v_now WHERE id = ANY (v_gone);
  PERFORM curves_refresh(v_homes);
  INSERT INTO gc_review (kind, target, review_after) SELECT 'artifact', u.id, v_now + p_undo FROM unnest(v_gone) AS u(id);
  INSERT INTO event (kind, project_id, repository_id, artifact_id, username, payload)
  SELECT 'artifact.deleted', a.project_id, a.repository_id, a.id, p_username, jsonb_build_object('digest', a.digest, 'tags', q.tags, 'retention', p_execution)
  FROM retention_pick q JOIN artifact a ON a.id = q.artifact_id WHERE q.execution_id = p_execution AND q.artifact_id = ANY (v_gone) ORDER BY a.id;
  INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource)
  SELECT p_username, a.project_id, a.repository_name, coalesce(q.tags[1], ''), 'delete', a.digest
  FROM retention_pick q JOIN artifact a ON a.id = q.artifact_id WHERE q.execution_id = p_execution AND q.artifact_id = ANY (v_gone) ORDER BY a.id;
END $$;
COMMENT ON FUNCTION retention_remove IS 'A batch of what a policy picked: whatever has been pushed, pulled, listed, held or made immutable since stays, the rest goes as by digest, with its tags and the same undo window';

CREATE FUNCTION artifact_restore(p_repository bigint, p_digest text, p_tagged boolean, p_lease interval, p_username text, p_address text, p_request text)
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE a artifact; t record; v_tags text[];
BEGIN
  SELECT * INTO a FROM artifact WHERE repository_id = p_repository AND digest = p_digest;
  IF NOT FOUND THEN PERFORM refuse('RG404', 'MANIFEST_GONE'); END IF;
  -- children before what lists them, as a push has them
  FOR t IN SELECT c.digest FROM artifact_reference f JOIN artifact c ON c.id = f.child_id
           WHERE f.artifact_id = a.id AND c.deleted_at IS NOT NULL ORDER BY c.digest LOOP
    PERFORM artifact_restore(p_repository, t.digest, false, p_lease, p_username, p_address, p_request);
  END LOOP;
  SELECT * INTO a FROM artifact WHERE repository_id = p_repository AND digest = p_digest FOR UPDATE;
  IF NOT FOUND THEN PERFORM refuse('RG404', 'MANIFEST_GONE'); END IF;
  IF a.deleted_at IS NULL THEN RETURN '{}'; END IF;
  UPDATE artifact SET deleted_at = NULL, keep_until = clock_timestamp() + p_lease WHERE id = a.id;
  UPDATE curve_version SET deleted_at = NULL, changed = clock_timestamp() WHERE id = a.id;
  PERFORM 1 FROM repository WHERE repository_id = p_repository FOR NO KEY UPDATE;
  UPDATE repository SET deleted_at = NULL WHERE repository_id = p_repository AND deleted_at IS NOT NULL;
  WITH back AS (
    INSERT INTO tag AS g (repository_id, artifact_id, name, push_time)
    SELECT p_repository, a.id, h.name, clock_timestamp() FROM tag_history h
    WHERE p_tagged AND h.repository_id = p_repository AND h.from_digest = p_digest AND h.to_digest IS NULL AND h.op_time >= a.deleted_at
      AND NOT EXISTS (SELECT FROM tag_history l WHERE l.repository_id = h.repository_id AND l.name = h.name AND l.id > h.id)
    ORDER BY h.name ON CONFLICT (repository_id, name) DO NOTHING RETURNING g.name),
  noted AS (INSERT INTO tag_history (repository_id, name, to_digest, username) SELECT p_repository, name, p_digest, p_username FROM back)
  SELECT coalesce(array_agg(name ORDER BY name), '{}') INTO v_tags FROM back;
  PERFORM curves_refresh(ARRAY[p_repository]);
  INSERT INTO gc_review (kind, target, review_after) VALUES ('artifact', a.id, clock_timestamp() + p_lease);
  INSERT INTO event (kind, project_id, repository_id, artifact_id, username, payload)
  VALUES ('artifact.restored', a.project_id, p_repository, a.id, p_username, jsonb_build_object('digest', p_digest, 'tags', v_tags));
  INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource, address, request_id)
  VALUES (p_username, a.project_id, a.repository_name, coalesce(v_tags[1], ''), 'restore', p_digest, p_address, p_request);
  RETURN v_tags;
END $$;
COMMENT ON FUNCTION artifact_restore IS 'A deleted artifact inside its undo window is there again, with its children and the tags that went with it and were not given since; answers these';

CREATE FUNCTION tag_restore(p_repository bigint, p_name text, p_digest text, p_lease interval, p_username text, p_address text, p_request text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE a artifact; g record; v_digest text;
BEGIN
  IF p_digest IS NULL THEN  -- where it was before it last moved or went
    SELECT from_digest INTO v_digest FROM tag_history WHERE repository_id = p_repository AND name = p_name ORDER BY id DESC LIMIT 1;
  ELSE
    SELECT to_digest INTO v_digest FROM tag_history WHERE repository_id = p_repository AND name = p_name AND to_digest = p_digest LIMIT 1;
  END IF;
  IF v_digest IS NULL THEN PERFORM refuse('RG404', 'TAG_NEVER'); END IF;
  PERFORM artifact_restore(p_repository, v_digest, false, p_lease, p_username, p_address, p_request);
  SELECT * INTO a FROM artifact WHERE repository_id = p_repository AND digest = v_digest AND deleted_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN PERFORM refuse('RG404', 'MANIFEST_GONE'); END IF;
  PERFORM 1 FROM repository WHERE repository_id = p_repository FOR NO KEY UPDATE;
  SELECT o.id, o.artifact_id AS target, x.digest INTO g FROM tag o JOIN artifact x ON x.id = o.artifact_id
  WHERE o.repository_id = p_repository AND o.name = p_name FOR UPDATE OF o;
  IF FOUND AND g.target = a.id THEN RETURN v_digest; END IF;
  IF g.id IS NOT NULL THEN
    UPDATE tag SET artifact_id = a.id, push_time = clock_timestamp() WHERE id = g.id;
    INSERT INTO gc_review (kind, target, review_after) VALUES ('artifact', g.target, clock_timestamp() + p_lease);
  ELSE
    INSERT INTO tag (repository_id, artifact_id, name, push_time) VALUES (p_repository, a.id, p_name, clock_timestamp());
  END IF;
  INSERT INTO tag_history (repository_id, name, from_digest, to_digest, username) VALUES (p_repository, p_name, g.digest, v_digest, p_username);
  PERFORM curves_refresh(ARRAY[p_repository]);
  INSERT INTO event (kind, project_id, repository_id, artifact_id, username, payload)
  VALUES ('tag.restored', a.project_id, p_repository, a.id, p_username, jsonb_build_object('digest', v_digest, 'tag', p_name));
  INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource_type, resource, address, request_id)
  VALUES (p_username, a.project_id, a.repository_name, p_name, 'restore', 'tag', v_digest, p_address, p_request);
  RETURN v_digest;
END $$;
COMMENT ON FUNCTION tag_restore IS 'A tag names again what it named (null: before its last move or removal), also where that was deleted and its undo window runs; answers the digest';

CREATE FUNCTION repository_make(p_project text, p_name text, p_autocreate boolean, p_username text, p_address text, p_request text)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_project bigint; v_id bigint;
BEGIN
  LOOP
    SELECT project_id INTO v_project FROM project WHERE name = p_project AND NOT deleted;
    EXIT WHEN FOUND;
    IF NOT p_autocreate THEN PERFORM refuse('RG404', 'NAME_UNKNOWN'); END IF;
    INSERT INTO project (name, owner_name) VALUES (p_project, p_username) ON CONFLICT (name) WHERE NOT deleted DO NOTHING
    RETURNING project_id INTO v_project;
    IF FOUND THEN
      INSERT INTO event (kind, project_id, username, payload)
      VALUES ('project.created', v_project, p_username, jsonb_build_object('name', p_project));
      INSERT INTO access_log (username, project_id, repo_name, operation, resource_type, resource, address, request_id)
      VALUES (p_username, v_project, '', 'create', 'project', p_project, p_address, p_request);
    END IF;
  END LOOP;
  INSERT INTO repository AS r (name, project_id) VALUES (p_name, v_project)
  ON CONFLICT (project_id, name) DO UPDATE SET deleted_at = NULL WHERE r.deleted_at IS NOT NULL
  RETURNING repository_id INTO v_id;
  IF NOT FOUND THEN
    SELECT repository_id INTO v_id FROM repository WHERE project_id = v_project AND name = p_name;
  END IF;
  RETURN v_id;
END $$;
COMMENT ON FUNCTION repository_make IS 'The repository of a first push; its project too where that is allowed';

CREATE FUNCTION upload_start(p_ids uuid[], p_repositories bigint[], p_principals text[], p_algorithms text[], p_expiry interval) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);  -- losing one costs its client a retry
  INSERT INTO upload (id, repository_id, principal, algorithm, expires_at)
  SELECT q.*, clock_timestamp() + p_expiry FROM unnest(p_ids, p_repositories, p_principals, p_algorithms) AS q;
END $$;
COMMENT ON FUNCTION upload_start IS 'New uploads at offset 0';

CREATE FUNCTION upload_take(p_id uuid, p_repository bigint, p_principal text, p_offset bigint, p_lease uuid, p_stale interval,
                            OUT answer text, OUT algorithm text, OUT "offset" bigint, OUT hash_state bytea, OUT staging jsonb, OUT digest text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE u upload;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  SELECT * INTO u FROM upload WHERE id = p_id AND repository_id = p_repository AND principal = p_principal FOR UPDATE;
  IF NOT FOUND THEN answer := 'unknown'; RETURN; END IF;
  algorithm := u.algorithm; "offset" := u."offset"; hash_state := u.hash_state; staging := u.staging; digest := u.digest;
  IF u.status = 'done' THEN answer := 'done'; RETURN; END IF;
  IF u.lease IS NOT NULL AND u.leased_at > clock_timestamp() - p_stale THEN answer := 'busy'; RETURN; END IF;
  IF p_offset IS NOT NULL AND p_offset <> u."offset" THEN answer := 'offset'; RETURN; END IF;
  answer := CASE WHEN u.lease IS NULL THEN 'taken' ELSE 'taken over' END;
  UPDATE upload SET lease = p_lease, leased_at = clock_timestamp() WHERE id = p_id;
END $$;
COMMENT ON FUNCTION upload_take IS 'One writer per upload. taken over: the last one did not let go, so fork the staging before writing';

CREATE FUNCTION upload_fork(p_id uuid, p_lease uuid, p_staging jsonb, p_old_staging jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE upload SET staging = p_staging WHERE id = p_id AND lease = p_lease AND status = 'open';
  IF NOT FOUND THEN RETURN false; END IF;
  INSERT INTO upload_staging (id, state, abort_after) VALUES (p_old_staging ->> 'id', p_old_staging, clock_timestamp())
  ON CONFLICT (id) DO NOTHING;
  RETURN true;
END $$;
COMMENT ON FUNCTION upload_fork IS 'After a take-over, before any byte: from now on the last writer writes into a file nobody uses';

CREATE FUNCTION upload_save(p_id uuid, p_lease uuid, p_offset bigint, p_hash_state bytea, p_staging jsonb, p_expiry interval)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE upload SET "offset" = p_offset, hash_state = p_hash_state, staging = p_staging, lease = NULL, leased_at = NULL,
    expires_at = clock_timestamp() + p_expiry
  WHERE id = p_id AND lease = p_lease AND status = 'open';
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION upload_save IS 'The end of a PATCH: what is durable now. False: the lease was taken over, nothing of it counts';

CREATE FUNCTION upload_done(p_id uuid, p_digest text, p_expiry interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE upload SET status = 'done', digest = p_digest, lease = NULL, leased_at = NULL, hash_state = NULL,
    expires_at = clock_timestamp() + p_expiry
  WHERE id = p_id AND status = 'open';
END $$;
COMMENT ON FUNCTION upload_done IS 'The row stays for an hour, so that a repeated PUT is answered 201 again';

CREATE FUNCTION upload_inline(p_ids uuid[], p_repositories bigint[], p_principals text[], p_digests text[], p_contents bytea[], p_stale interval,
                              p_lease interval, p_keep interval) RETURNS TABLE (answer text, "offset" bigint, digest text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE answers text[]; offsets bigint[]; digests text[];
BEGIN
  WITH asked AS MATERIALIZED (
    SELECT q.*, u."offset", u.digest AS was, CASE WHEN u.id IS NULL THEN 'unknown' WHEN u.status = 'done' THEN 'done'
        WHEN array_position(p_ids, q.id) < q.n THEN 'busy' WHEN u.lease IS NOT NULL AND u.leased_at > clock_timestamp() - p_stale THEN 'busy'
        WHEN u."offset" <> 0 THEN 'offset' ELSE 'stored' END AS answer
    FROM unnest(p_ids, p_repositories, p_principals, p_digests) WITH ORDINALITY AS q(id, repository, principal, digest, n)
    LEFT JOIN (SELECT * FROM upload WHERE id = ANY (p_ids) ORDER BY id FOR UPDATE) AS u
      ON u.id = q.id AND u.repository_id = q.repository AND u.principal = q.principal),
  ended AS (
    UPDATE upload u SET status = 'done', digest = q.digest, lease = NULL, leased_at = NULL, hash_state = NULL,
      expires_at = clock_timestamp() + p_keep
    FROM asked q WHERE u.id = q.id AND q.answer = 'stored')
  SELECT array_agg(q.answer ORDER BY q.n), array_agg(q."offset" ORDER BY q.n), array_agg(q.was ORDER BY q.n)
  INTO answers, offsets, digests FROM asked q;
  IF 'stored' = ANY (answers) THEN
    PERFORM blob_inline(array_agg(q.repository), array_agg(q.digest), array_agg(q.content), p_lease)
    FROM unnest(answers, p_repositories, p_digests, p_contents) AS q(answer, repository, digest, content) WHERE q.answer = 'stored';
  END IF;
  RETURN QUERY SELECT q.* FROM unnest(answers, offsets, digests) AS q;
END $$;
COMMENT ON FUNCTION upload_inline IS 'The one PUT of small blobs: whole uploads in one transaction';

-- gc. What holds a link or an artifact is asked in a statement after the one that locked it, and gc waits for nobody: what
-- others hold is looked at again later. Model of what follows: tests/core/model/link_protocol.py, and blob_protocol.py for
-- gc_blobs and gc_sweep. OFFSET 0 keeps each question a look-up in an index. Whoever deletes rows of artifact_blob_ref or
-- artifact_reference asks for reviews of what they named.

CREATE TYPE gc_debit AS (project_id bigint, bytes bigint, artifacts int);
COMMENT ON TYPE gc_debit IS 'What a project is no longer charged for';

CREATE FUNCTION gc_artifacts(p_targets bigint[], OUT purged int, OUT debits gc_debit[], OUT held bigint[], OUT held_until timestamptz[])
LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := clock_timestamp(); v_locked bigint[]; v_purged bigint[];
BEGIN
  SELECT coalesce(array_agg(id), '{}') INTO v_locked FROM (SELECT id FROM artifact WHERE id = ANY (p_targets) FOR UPDATE SKIP LOCKED) AS l;
  -- a child that was deleted though a live index lists it, which a sparse project allows: absent there from now on
  UPDATE artifact_reference f SET child_id = NULL FROM artifact a, artifact p
  WHERE a.id = ANY (v_locked) AND a.deleted_at IS NOT NULL AND a.keep_until <= v_now
    AND f.child_id = a.id AND p.id = f.artifact_id AND p.deleted_at IS NULL;
  SELECT coalesce(array_agg(a.id), '{}') INTO v_purged FROM artifact a
  WHERE a.id = ANY (v_locked) AND a.keep_until <= v_now AND NOT EXISTS (SELECT FROM artifact_reference WHERE child_id = a.id OFFSET 0)
    AND held_by(a.project_id, a.repository_id, a.id) IS NULL
    AND (a.deleted_at IS NOT NULL OR (NOT a.charged  -- a copy made for an index that is gone
      AND NOT EXISTS (SELECT FROM tag WHERE artifact_id = a.id OFFSET 0)
      AND NOT EXISTS (SELECT FROM artifact_accessory WHERE subject_artifact_id = a.id OFFSET 0)));
  -- all others need no second look: whoever takes their tag, their index or their signature away asks for one
  SELECT array_agg(a.id), array_agg(CASE WHEN a.id = ANY (v_locked) THEN a.keep_until ELSE v_now + interval '10 seconds' END)
  INTO held, held_until FROM artifact a
  WHERE a.id = ANY (p_targets) AND (a.id <> ALL (v_locked) OR (a.keep_until > v_now AND (a.deleted_at IS NOT NULL OR NOT a.charged)));
  purged := cardinality(v_purged);
  IF purged = 0 THEN RETURN; END IF;
  WITH refs AS (DELETE FROM artifact_blob_ref WHERE artifact_id = ANY (v_purged) RETURNING link_id),
  children AS (DELETE FROM artifact_reference WHERE artifact_id = ANY (v_purged) RETURNING child_id)
  INSERT INTO gc_review (kind, target, review_after)
  SELECT q.kind, q.target, v_now FROM (
    SELECT 'link' AS kind, link_id AS target FROM refs
    UNION SELECT 'artifact', child_id FROM children
    UNION SELECT 'artifact', artifact_id FROM artifact_accessory WHERE subject_artifact_id = ANY (v_purged)
    UNION SELECT 'artifact', subject_artifact_id FROM artifact_accessory WHERE artifact_id = ANY (v_purged)) AS q
  WHERE q.target IS NOT NULL;
  WITH dead AS (
    DELETE FROM artifact WHERE id = ANY (v_purged) RETURNING project_id, digest, octet_length(manifest)::bigint AS size, charged),
  copies AS (INSERT INTO gc_delete (digest, generation) SELECT DISTINCT digest, -1 FROM dead)
  SELECT array_agg((d.project_id, d.size, 1)::gc_debit) FILTER (WHERE d.charged) INTO debits FROM dead d;
END $$;
COMMENT ON FUNCTION gc_artifacts IS 'Deleted artifacts whose undo window is over, and copies without their index, go for good; their links, children and accessories are looked at next';

CREATE FUNCTION gc_blobs(p_targets bigint[], p_undo interval, OUT condemned int, OUT bytes bigint, OUT held bigint[], OUT held_until timestamptz[])
LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := clock_timestamp(); v_locked bigint[];
BEGIN
  SELECT coalesce(array_agg(id), '{}') INTO v_locked
  FROM (SELECT id FROM artifact_blob WHERE id = ANY (p_targets) AND state = 'live' FOR UPDATE SKIP LOCKED) AS l;
  WITH done AS (
    UPDATE artifact_blob b SET state = 'condemned', keep_until = clock_timestamp() + p_undo
    WHERE b.id = ANY (v_locked) AND b.keep_until <= v_now AND NOT EXISTS (SELECT FROM repository_blob WHERE blob_id = b.id OFFSET 0)
    RETURNING b.size)
  SELECT count(*), coalesce(sum(size), 0) INTO condemned, bytes FROM done;
  SELECT array_agg(b.id), array_agg(greatest(b.keep_until, v_now + interval '10 seconds')) INTO held, held_until
  FROM artifact_blob b WHERE b.id = ANY (p_targets) AND b.state = 'live' AND NOT EXISTS (SELECT FROM repository_blob WHERE blob_id = b.id OFFSET 0);
END $$;
COMMENT ON FUNCTION gc_blobs IS 'Blobs that no repository links are condemned: the object stays for the undo window, and a push brings it back';

CREATE FUNCTION gc_links(p_targets bigint[], p_undo interval, OUT dropped int, OUT condemned int, OUT bytes bigint, OUT debits gc_debit[],
                         OUT held bigint[], OUT held_until timestamptz[])
LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := clock_timestamp(); v_locked bigint[]; v_free bigint[]; v_projects bigint[]; v_blobs bigint[]; b record;
BEGIN
  SELECT coalesce(array_agg(id), '{}') INTO v_locked FROM (SELECT id FROM repository_blob WHERE id = ANY (p_targets) FOR UPDATE SKIP LOCKED) AS l;
  -- manifests that came without the blob, and neither they nor the link's maker saw the other
  UPDATE artifact_blob_ref f SET link_id = w.link FROM (
    SELECT l.id AS link, r.artifact_id, r.blob_digest FROM repository_blob l JOIN artifact_blob o ON o.id = l.blob_id
    CROSS JOIN LATERAL (SELECT artifact_id, blob_digest FROM artifact_blob_ref
      WHERE repository_id = l.repository_id AND blob_digest = o.digest AND link_id IS NULL OFFSET 0) AS r
    WHERE l.id = ANY (v_locked) AND NOT l.hidden) AS w
  WHERE f.artifact_id = w.artifact_id AND f.blob_digest = w.blob_digest AND f.link_id IS NULL;
  SELECT coalesce(array_agg(l.id), '{}') INTO v_free FROM repository_blob l
  WHERE l.id = ANY (v_locked) AND (l.hidden OR l.keep_until <= v_now) AND NOT EXISTS (SELECT FROM artifact_blob_ref WHERE link_id = l.id OFFSET 0);
  -- the charge is locked before it is asked who else has the blob
  WITH charges AS MATERIALIZED (
    SELECT c.project_id, c.blob_id FROM project_blob c
    WHERE (c.project_id, c.blob_id) IN (SELECT project_id, blob_id FROM repository_blob WHERE id = ANY (v_free)) FOR UPDATE SKIP LOCKED)
  SELECT coalesce(array_agg(l.id), '{}') INTO v_free FROM repository_blob l LEFT JOIN charges c USING (project_id, blob_id)
  WHERE l.id = ANY (v_free) AND (c.blob_id IS NOT NULL
    OR NOT EXISTS (SELECT FROM project_blob WHERE project_id = l.project_id AND blob_id = l.blob_id OFFSET 0));
  SELECT array_agg(l.id), array_agg(greatest(v_now + interval '10 seconds', CASE WHEN l.id = ANY (v_locked) AND NOT l.hidden THEN l.keep_until END))
  INTO held, held_until FROM repository_blob l
  WHERE l.id = ANY (p_targets) AND l.id <> ALL (v_free) AND (l.id <> ALL (v_locked) OR NOT EXISTS (SELECT FROM artifact_blob_ref WHERE link_id = l.id OFFSET 0));
  dropped := cardinality(v_free); condemned := 0; bytes := 0;
  IF dropped = 0 THEN RETURN; END IF;
  WITH gone AS (DELETE FROM repository_blob WHERE id = ANY (v_free) RETURNING project_id, blob_id)
  SELECT array_agg(g.project_id), array_agg(g.blob_id) INTO v_projects, v_blobs FROM (SELECT DISTINCT * FROM gone) AS g;
  WITH paid AS (
    DELETE FROM project_blob c USING unnest(v_projects, v_blobs) AS q(project, blob) WHERE c.project_id = q.project AND c.blob_id = q.blob
      AND NOT EXISTS (SELECT FROM repository_blob WHERE blob_id = q.blob AND project_id = q.project OFFSET 0) RETURNING c.project_id, c.size)
  SELECT array_agg((p.project_id, p.size, 0)::gc_debit) INTO debits FROM paid p;
  SELECT * INTO b FROM gc_blobs(v_blobs, p_undo);
  condemned := b.condemned; bytes := b.bytes;
  INSERT INTO gc_review (kind, target, review_after) SELECT 'blob', u.* FROM unnest(b.held, b.held_until) AS u;
END $$;
COMMENT ON FUNCTION gc_links IS 'Links that are over and that no manifest names go, with the charge where the project has no other, and the blobs that nobody links any more are condemned';

CREATE FUNCTION gc_reviews(p_limit int, p_undo interval, OUT taken int, OUT artifacts int, OUT links int, OUT condemned int, OUT bytes bigint)
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$  -- where pushes and gc would wait for each other, gc lets go
DECLARE v_ids bigint[]; v_artifacts bigint[]; v_links bigint[]; v_blobs bigint[]; a record; l record; b record; t record;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);  -- a review that is lost is done again
  SELECT array_agg(q.id), coalesce(array_agg(q.target) FILTER (WHERE q.kind = 'artifact'), '{}'),
    coalesce(array_agg(q.target) FILTER (WHERE q.kind = 'link'), '{}'), coalesce(array_agg(q.target) FILTER (WHERE q.kind = 'blob'), '{}')
  INTO v_ids, v_artifacts, v_links, v_blobs FROM (
    SELECT id, kind, target FROM gc_review WHERE review_after <= (SELECT clock_timestamp())
    ORDER BY review_after LIMIT p_limit FOR UPDATE SKIP LOCKED) AS q;
  taken := coalesce(cardinality(v_ids), 0); artifacts := 0; links := 0; condemned := 0; bytes := 0;
  IF taken = 0 THEN RETURN; END IF;
  SELECT * INTO a FROM gc_artifacts(v_artifacts);
  SELECT * INTO l FROM gc_links(v_links, p_undo);
  SELECT * INTO b FROM gc_blobs(v_blobs, p_undo);
  DELETE FROM gc_review WHERE id = ANY (v_ids);
  INSERT INTO gc_review (kind, target, review_after)
  SELECT 'artifact', u.* FROM unnest(a.held, a.held_until) AS u UNION ALL SELECT 'link', u.* FROM unnest(l.held, l.held_until) AS u
  UNION ALL SELECT 'blob', u.* FROM unnest(b.held, b.held_until) AS u;
  FOR t IN SELECT d.project_id, sum(d.bytes) AS bytes, sum(d.artifacts) AS artifacts FROM unnest(a.debits || l.debits) AS d GROUP BY 1 ORDER BY 1 LOOP
    UPDATE project SET storage_used = greatest(0, storage_used - t.bytes), artifact_count = greatest(0, artifact_count - t.artifacts)
    WHERE project_id = t.project_id;
  END LOOP;
  artifacts := a.purged; links := l.dropped; condemned := l.condemned + b.condemned; bytes := l.bytes + b.bytes;
END $$;
COMMENT ON FUNCTION gc_reviews IS 'A batch of the review queue, whole in one transaction: what is held is looked at again when its lease is over; bytes are those condemned';

CREATE FUNCTION gc_sweep(p_limit int, p_lease interval, OUT taken int, OUT gone int, OUT bytes bigint, OUT forgotten int)
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE v_now timestamptz := clock_timestamp(); v_ids bigint[]; v_linked bigint[];
BEGIN
  PERFORM set_config('synchronous_commit', 'on', true);  -- an object may be deleted only for a row that is gone for good
  SELECT coalesce(array_agg(id), '{}') INTO v_ids FROM (
    SELECT id FROM artifact_blob WHERE state IN ('pending', 'condemned', 'gone', 'missing') AND keep_until <= (SELECT v_now)
    ORDER BY keep_until LIMIT p_limit FOR UPDATE SKIP LOCKED) AS q;
  taken := cardinality(v_ids); gone := 0; bytes := 0; forgotten := 0;
  IF taken = 0 THEN RETURN; END IF;
  SELECT coalesce(array_agg(b.id), '{}') INTO v_linked FROM artifact_blob b
  WHERE b.id = ANY (v_ids) AND EXISTS (SELECT FROM repository_blob WHERE blob_id = b.id OFFSET 0);
  INSERT INTO gc_delete (digest, generation, key)  -- a heal that nobody finished
  SELECT digest, generation, key FROM artifact_blob WHERE id = ANY (v_linked) AND state = 'pending';
  UPDATE artifact_blob SET state = CASE state WHEN 'condemned' THEN 'live' ELSE 'missing' END, keep_until = v_now + p_lease
  WHERE id = ANY (v_linked);
  WITH dead AS (
    DELETE FROM artifact_blob b WHERE b.id = ANY (v_ids) AND b.id <> ALL (v_linked) AND b.state = 'gone'
      AND NOT EXISTS (SELECT FROM gc_delete WHERE digest = b.digest OFFSET 0) AND NOT EXISTS (SELECT FROM project_blob WHERE blob_id = b.id OFFSET 0)
    RETURNING b.digest),
  nowhere AS (DELETE FROM segment s USING dead d WHERE s.blob_digest = d.digest)
  SELECT count(*) INTO forgotten FROM dead;
  WITH swept AS (
    UPDATE artifact_blob b SET state = 'gone', content = NULL,
      keep_until = v_now + CASE o.state WHEN 'gone' THEN interval '1 hour' ELSE interval '30 days' END
    FROM (SELECT id, state FROM artifact_blob WHERE id = ANY (v_ids) OFFSET 0) AS o WHERE b.id = o.id AND b.id <> ALL (v_linked)
    RETURNING o.state AS was, b.digest, b.generation, b.key, b.size),
  asked AS (INSERT INTO gc_delete (digest, generation, key) SELECT digest, generation, key FROM swept WHERE was <> 'gone')
  SELECT count(*) FILTER (WHERE was <> 'gone'), coalesce(sum(size) FILTER (WHERE was = 'condemned'), 0) INTO gone, bytes FROM swept;
END $$;
COMMENT ON FUNCTION gc_sweep IS 'A batch of claims nobody finished, rot nobody healed and blobs whose undo window is over: gone, their objects queued for deletion; and of tombstones that nothing needs';

CREATE FUNCTION gc_is_untagged(p_artifact bigint, p_pushed_before timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM artifact a WHERE a.id = p_artifact AND a.deleted_at IS NULL AND a.charged
    AND a.keep_until <= clock_timestamp() AND a.push_time <= p_pushed_before AND held_by(a.project_id, a.repository_id, a.id) IS NULL)
  AND NOT EXISTS (SELECT FROM tag WHERE artifact_id = p_artifact)
  AND NOT EXISTS (SELECT FROM artifact_reference WHERE child_id = p_artifact)
  AND NOT EXISTS (SELECT FROM artifact_accessory c JOIN artifact s ON s.id = c.subject_artifact_id
                  WHERE c.artifact_id = p_artifact AND s.deleted_at IS NULL)
$$;
COMMENT ON FUNCTION gc_is_untagged IS 'An artifact with no tag, in no index, attached to nothing that is there, under no hold, and not pushed or promised lately';

CREATE FUNCTION gc_untagged(p_after bigint, p_limit int, p_window interval, p_undo interval, p_username text,
                            OUT last bigint, OUT deleted int, OUT bytes bigint)
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE v_before timestamptz := clock_timestamp() - p_window; v_ids bigint[]; v_locked bigint[]; a record;
BEGIN
  SELECT max(q.id), coalesce(array_agg(q.id) FILTER (WHERE gc_is_untagged(q.id, v_before)), '{}') INTO last, v_ids
  FROM (SELECT id FROM artifact WHERE id > p_after ORDER BY id LIMIT p_limit) AS q;
  SELECT array_agg(id) INTO v_locked FROM (SELECT id FROM artifact WHERE id = ANY (v_ids) FOR UPDATE SKIP LOCKED) AS l;
  deleted := 0; bytes := 0;
  FOR a IN SELECT x.repository_id, x.digest, octet_length(x.manifest) AS size FROM artifact x
           WHERE x.id = ANY (v_locked) AND gc_is_untagged(x.id, v_before) ORDER BY x.repository_id, x.id LOOP
    PERFORM artifact_delete(a.repository_id, a.digest, p_undo, p_username, '', '');
    deleted := deleted + 1; bytes := bytes + a.size;
  END LOOP;
END $$;
COMMENT ON FUNCTION gc_untagged IS 'Deletes, as by digest and with the same undo window, the untagged among the next artifacts after an id; last is null at the end';

-- 8. The queue ---------------------------------------------------------------------------------------------------------
-- Generated by `pgq sql install`, kept verbatim up to the comments at its end: pgqueuer finds these objects by name.
-- It delivers and nothing more; task (section 4) is the truth. A test compares this with the release that is installed.

-- pgqueuer 1.6.0 -- prefix='' schema=None durability=durable

CREATE TYPE pgqueuer_status AS ENUM ('queued', 'picked', 'successful', 'exception', 'canceled', 'deleted', 'failed');

CREATE TABLE pgqueuer (
    id bigserial NOT NULL PRIMARY KEY,
    priority integer NOT NULL,
    queue_manager_id uuid,
    created timestamp with time zone NOT NULL DEFAULT now(),
    updated timestamp with time zone NOT NULL DEFAULT now(),
    heartbeat timestamp with time zone NOT NULL DEFAULT now(),
    execute_after timestamp with time zone NOT NULL DEFAULT now(),
    status pgqueuer_status NOT NULL,
    entrypoint text NOT NULL,
    dedupe_key text,
    payload bytea,
    headers jsonb,
    attempts integer NOT NULL DEFAULT 0,
    slot bigint
);

CREATE TABLE pgqueuer_log (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY,
    created timestamp with time zone NOT NULL DEFAULT now(),
    job_id bigint NOT NULL,
    status pgqueuer_status NOT NULL,
    priority integer NOT NULL,
    entrypoint text NOT NULL,
    traceback jsonb,
    aggregated boolean DEFAULT false
);

CREATE TABLE pgqueuer_schedules (
    id bigserial NOT NULL PRIMARY KEY,
    expression text NOT NULL,
    entrypoint text NOT NULL,
    heartbeat timestamp with time zone NOT NULL DEFAULT now(),
    created timestamp with time zone NOT NULL DEFAULT now(),
    updated timestamp with time zone NOT NULL DEFAULT now(),
    next_run timestamp with time zone NOT NULL DEFAULT now(),
    last_run timestamp with time zone,
    status pgqueuer_status DEFAULT 'queued'::pgqueuer_status,
    UNIQUE (expression, entrypoint)
);

CREATE TABLE pgqueuer_statistics (
    id bigserial NOT NULL PRIMARY KEY,
    created timestamp with time zone NOT NULL DEFAULT date_trunc('sec'::text, now()),
    count bigint NOT NULL,
    priority integer NOT NULL,
    status pgqueuer_status NOT NULL,
    entrypoint text NOT NULL
);

CREATE INDEX pgqueuer_ep_ea_idx ON pgqueuer USING btree (entrypoint, execute_after) WHERE (status = 'queued'::pgqueuer_status);

CREATE INDEX pgqueuer_ep_prio_id_idx ON pgqueuer USING btree (entrypoint, priority DESC, id) WHERE (status = 'queued'::pgqueuer_status);

CREATE INDEX pgqueuer_log_created ON pgqueuer_log USING btree (created);

CREATE INDEX pgqueuer_log_job_id_status ON pgqueuer_log USING btree (job_id, created DESC);

CREATE INDEX pgqueuer_log_not_aggregated ON pgqueuer_log USING btree ((1)) WHERE (NOT aggregated);

CREATE INDEX pgqueuer_log_status ON pgqueuer_log USING btree (status);

CREATE INDEX pgqueuer_picked_heartbeat_idx ON pgqueuer USING btree (heartbeat) WHERE (status = 'picked'::pgqueuer_status);

CREATE UNIQUE INDEX pgqueuer_picked_slot_idx ON pgqueuer USING btree (entrypoint, slot) WHERE ((status = 'picked'::pgqueuer_status) AND (slot IS NOT NULL));

CREATE INDEX pgqueuer_priority_id_id1_idx ON pgqueuer USING btree (priority, id DESC) INCLUDE (id) WHERE (status = 'queued'::pgqueuer_status);

CREATE INDEX pgqueuer_queue_manager_id_idx ON pgqueuer USING btree (queue_manager_id) WHERE (queue_manager_id IS NOT NULL);

CREATE UNIQUE INDEX pgqueuer_statistics_unique_count ON pgqueuer_statistics USING btree (priority, date_trunc('sec'::text, timezone('UTC'::text, created)), status, entrypoint);

CREATE UNIQUE INDEX pgqueuer_unique_dedupe_key ON pgqueuer USING btree (dedupe_key) WHERE ((status = ANY (ARRAY['queued'::pgqueuer_status, 'picked'::pgqueuer_status])) AND (dedupe_key IS NOT NULL));

CREATE INDEX pgqueuer_updated_id_id1_idx ON pgqueuer USING btree (updated, id DESC) INCLUDE (id) WHERE (status = 'picked'::pgqueuer_status);

CREATE FUNCTION fn_pgqueuer_changed() RETURNS TRIGGER AS $$
DECLARE
    to_emit BOOLEAN := false;  -- Flag to decide whether to emit a notification
BEGIN
    -- Check operation type and set the emit flag accordingly
    IF TG_OP = 'UPDATE' AND OLD IS DISTINCT FROM NEW THEN
        to_emit := true;
    ELSIF TG_OP = 'DELETE' THEN
        to_emit := true;
    ELSIF TG_OP = 'INSERT' THEN
        to_emit := true;
    ELSIF TG_OP = 'TRUNCATE' THEN
        to_emit := true;
    END IF;

    -- Perform notification if the emit flag is set
    IF to_emit THEN
        PERFORM pg_notify(
            'ch_pgqueuer',
            json_build_object(
                'channel', 'ch_pgqueuer',
                'operation', lower(TG_OP),
                'sent_at', NOW(),
                'table', TG_TABLE_NAME,
                'type', 'table_changed_event'
            )::text
        );
    END IF;

    -- Return appropriate value based on the operation
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        RETURN NEW;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    ELSE
        RETURN NULL; -- For TRUNCATE and other non-row-specific contexts
    END IF;

END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER tg_pgqueuer_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgqueuer
EXECUTE FUNCTION fn_pgqueuer_changed();

COMMENT ON TABLE pgqueuer IS 'Jobs under way: entrypoint is the kind of a task, payload its id';
COMMENT ON TABLE pgqueuer_log IS 'What became of jobs; kept for a day';
COMMENT ON TABLE pgqueuer_statistics IS 'Jobs by second and outcome; kept for 30 days';
COMMENT ON TABLE pgqueuer_schedules IS 'Unused: schedule is ours';
