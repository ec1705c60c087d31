{{/* The configuration as a tree; secrets are files below /run/secrets/dataforge. */}}
{{- define "dataforge.config" -}}
{{- $storage := .Values.storage -}}
{{- $parameters := deepCopy (index $storage $storage.driver) -}}
{{- if eq $storage.driver "filesystem" -}}
{{-   $parameters = dict "rootdirectory" "/var/lib/dataforge-registry" -}}
{{- else if not (or $parameters.bucket $parameters.container) -}}
{{-   fail (printf "storage.%s: name its bucket or container" $storage.driver) -}}
{{- end -}}
{{- if $storage.existingSecret -}}
{{-   range $storage.secretKeys -}}
{{-     $file := printf "/run/secrets/dataforge/storage/%s" . -}}
{{-     $_ := set $parameters . (eq . "keyfile" | ternary $file (printf "${file:%s}" $file)) -}}
{{-   end -}}
{{- end -}}
{{- $cache := dict -}}
{{- if .Values.cacheGiB -}}
{{-   $cache = dict "folder" "/var/cache/dataforge-registry" "size" (printf "%dGiB" (int .Values.cacheGiB)) -}}
{{- end -}}
{{- $http := dict "host" "0.0.0.0" "port" 5000 "drain_delay" "5s" "trusted_proxies" .Values.http.trustedProxies -}}
{{- if .Values.ingress.enabled -}}
{{-   $scheme := empty .Values.ingress.tlsSecret | ternary "http" "https" -}}
{{-   $_ := set $http "external_url" (printf "%s://%s" $scheme .Values.ingress.host) -}}
{{- end -}}
{{- $auth := dict "secretkey" "${file:/run/secrets/dataforge/auth/secretkey}" "admin_password" "${file:/run/secrets/dataforge/auth/admin_password}" -}}
{{- $tree := dict
      "storage" (dict $storage.driver $parameters "cache" $cache)
      "database" (dict "url" "${file:/run/secrets/dataforge/database/url}")
      "http" $http
      "auth" $auth
      "worker" (dict "enabled" (eq (int .Values.worker.replicas) 0) "port" 5001)
-}}
{{- toYaml (mergeOverwrite $tree (deepCopy .Values.config)) -}}
{{- end -}}
