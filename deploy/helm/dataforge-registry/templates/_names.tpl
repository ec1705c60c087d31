{{- define "dataforge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "dataforge.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the pods of a part: (list . "server") */}}
{{- define "dataforge.selector" -}}
app.kubernetes.io/name: {{ include "dataforge.name" (index . 0) }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "dataforge.labels" -}}
{{ include "dataforge.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end -}}

{{- define "dataforge.serviceAccount" -}}
{{- .Values.serviceAccount.create | ternary (default (include "dataforge.fullname" .) .Values.serviceAccount.name) (default "default" .Values.serviceAccount.name) -}}
{{- end -}}

{{- define "dataforge.authSecret" -}}
{{- default (printf "%s-auth" (include "dataforge.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- define "dataforge.databaseSecret" -}}
{{- default (printf "%s-database" (include "dataforge.fullname" .)) .Values.database.existingSecret -}}
{{- end -}}
