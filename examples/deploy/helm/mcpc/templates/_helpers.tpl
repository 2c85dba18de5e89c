{{- define "mcpc.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mcpc.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mcpc.labels" -}}
{{ include "mcpc.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "mcpc.configMap" -}}
{{- .Values.spec.existingConfigMap | default (include "mcpc.name" .) -}}
{{- end -}}

{{- define "mcpc.probePort" -}}
port: {{ if .Values.adminPort }}admin{{ else }}mcp{{ end }}
{{- if and .Values.tls (not .Values.adminPort) }}
scheme: HTTPS
{{- end }}
{{- end -}}
